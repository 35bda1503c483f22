CREATE TABLE records (id BIGINT, kind STRING, amount BIGINT)
  WITH ('connector' = 'kafka', 'topic' = '$INPUT', 'format' = 'json', 'json.ignore-parse-errors' = 'true',
        'scan.startup.mode' = 'group-offsets', 'properties.auto.offset.reset' = 'earliest'$CLIENT);

CREATE TABLE results (id BIGINT, kind STRING, amount BIGINT, seenBy STRING)
  WITH ('connector' = 'kafka', 'topic' = '$RESULTS', 'format' = 'json'$CLIENT);

CREATE TABLE signals (ts BIGINT, svc STRING, status INT, lat_us BIGINT)
  WITH ('connector' = 'kafka', 'topic' = '$SIGNALS', 'format' = 'json'$CLIENT);
