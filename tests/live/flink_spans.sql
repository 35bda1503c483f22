-- Spans as JSON with the names of protobuf, into protobuf.
CREATE TEMPORARY TABLE `plain` (
  `resource_spans` ARRAY<ROW<
    `resource` ROW<`attributes` ARRAY<ROW<`key` STRING, `value` ROW<`string_value` STRING>>>>,
    `scope_spans` ARRAY<ROW<`spans` ARRAY<ROW<
      `kind` INT, `start_time_unix_nano` BIGINT, `end_time_unix_nano` BIGINT, `status` ROW<`code` INT>>>>>>>
) WITH (
  'connector' = 'kafka', 'topic' = 'contract-plain', 'properties.bootstrap.servers' = 'BROKER',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'json'
);
CREATE TEMPORARY TABLE `protobuf` (
  `resource_spans` ARRAY<ROW<
    `resource` ROW<`attributes` ARRAY<ROW<`key` STRING, `value` ROW<`string_value` STRING>>>>,
    `scope_spans` ARRAY<ROW<`spans` ARRAY<ROW<
      `kind` INT, `start_time_unix_nano` BIGINT, `end_time_unix_nano` BIGINT, `status` ROW<`code` INT>>>>>>>
) WITH (
  'connector' = 'kafka', 'topic' = 'contract-protobuf', 'properties.bootstrap.servers' = 'BROKER',
  'format' = 'protobuf', 'protobuf.message-class-name' = 'io.opentelemetry.proto.trace.v1.TracesData'
);
INSERT INTO `protobuf` SELECT * FROM `plain`;
