CREATE TABLE records (id BIGINT, kind STRING, amount BIGINT)
  WITH ('connector' = 'filesystem', 'path' = '$INPUT', 'format' = 'json', 'json.ignore-parse-errors' = 'true');

CREATE TABLE results (id BIGINT, kind STRING, amount BIGINT, seenBy STRING)
  WITH ('connector' = 'filesystem', 'path' = '$OUTPUT/results', 'format' = 'json');

CREATE TABLE signals (ts BIGINT, svc STRING, status INT, lat_us BIGINT)
  WITH ('connector' = 'filesystem', 'path' = '$OUTPUT/signals', 'format' = 'json');
