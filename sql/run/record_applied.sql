-- Write into the audit what was put in place.
--
-- run_state is done, or applied where the index is still to be built.
--
-- A run over all rows leaves none of the vectors that were there before. Whatever has a vector now got it from this run.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, a closed run stays as it is
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    run_state, embedding_column, only_missing, staging_table, schema, table, key_is_k, content, is_chosen

UPDATE vestige_sql.run r
SET state = :'run_state',
    -- swap and the switch have put another column under the name
    column_number = (
        SELECT a.attnum FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = r.table_oid AND a.attname = :'embedding_column' AND NOT a.attisdropped),
    rows_total = c.rows_total,
    rows_written = CASE WHEN :only_missing THEN (
        SELECT count(*)
        FROM vestige_sql.:"staging_table" k
        JOIN :"schema".:"table" t ON :key_is_k)
    ELSE c.rows_embedded END,
    rows_blank = c.rows_blank,
    applied_at = clock_timestamp(),
    finished_at = CASE WHEN :'run_state' = 'done' THEN clock_timestamp() END
FROM (
    SELECT
        count(*) AS rows_total,
        count(*) FILTER (WHERE NOT vestige_sql.has_text(:content)) AS rows_blank,
        count(t.:"embedding_column") AS rows_embedded
    FROM :"schema".:"table" t
    WHERE :is_chosen
) AS c
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'staging'
RETURNING r.id, r.rows_written, r.rows_blank;
