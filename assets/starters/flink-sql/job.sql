-- What {{name}} does. The tables records, results and signals are made by kafka.sql and local.sql.
EXECUTE STATEMENT SET
BEGIN
INSERT INTO results
  SELECT id, kind, amount, '{{name}}' FROM records WHERE id IS NOT NULL;
-- An event for each record: when, how it went, how long it took. The golden signals are made of these.
INSERT INTO signals
  SELECT 1000 * UNIX_TIMESTAMP(), '{{name}}', CASE WHEN id IS NULL THEN 500 ELSE 200 END, CAST(1 AS BIGINT) FROM records;
END;
