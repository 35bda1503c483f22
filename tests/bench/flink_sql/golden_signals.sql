CREATE TABLE events (
  ts BIGINT, svc STRING, status INT, lat_us BIGINT,
  happened AS TO_TIMESTAMP_LTZ(ts, 3), WATERMARK FOR happened AS happened - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'file://$EVENTS', 'format' = 'json');

CREATE TABLE panes (
  start_ms BIGINT, svc STRING, n BIGINT, err BIGINT, sum_us BIGINT, min_us BIGINT, max_us BIGINT, bins MULTISET<STRING>
) WITH ('connector' = 'filesystem', 'path' = 'file://$PANES', 'format' = 'json');

INSERT INTO panes SELECT
  1000 * UNIX_TIMESTAMP(CAST(window_start AS STRING)), svc, COUNT(*), COUNT(*) FILTER (WHERE status >= 500),
  SUM(lat_us), MIN(lat_us), MAX(lat_us),
  COLLECT(CAST(CAST(FLOOR(LN(CAST(lat_us AS DOUBLE)) / 0.020000666706669435) AS INT) AS STRING))
FROM TUMBLE(TABLE events, DESCRIPTOR(happened), INTERVAL '10' SECOND)
WHERE lat_us > 0
GROUP BY window_start, window_end, svc
