-- Write the staged vectors of the next rows by key into the second column: one batch, one short transaction. No row comes
-- back once all is filled.
--
-- A vector is written only into a row whose text is still the one that it was made from. A row that another session has locked
-- is not waited for, so that nobody can be in a deadlock with the filling: it is noted as changed, and so is every other row of
-- the batch that was not written.
--
-- Locks:        ROW EXCLUSIVE on the target
-- Transaction:  alone
-- Rewrites:     nothing
-- Fires:        no triggers, while online/quiet/ keeps them off
-- Run again:    safe, it goes on with the next rows
-- Undo:         abort/column/
-- Variables:    schema, table, embedding_column, staging_table, batch_rows, id_sql_type, id_column, new_column, content_column, changed_table

WITH run AS MATERIALIZED (
    SELECT r.id, r.filled_to
    FROM vestige_sql.run r
    WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
      AND r.state = 'filling'
      -- so that no row is noted for being filled
      AND pg_catalog.set_config('vestige_sql.filling', 'on', true) = 'on'
),
batch AS MATERIALIZED (
    (SELECT s.id
     FROM vestige_sql.:"staging_table" s
     WHERE (SELECT filled_to IS NULL FROM run)
     ORDER BY s.id
     LIMIT :batch_rows)
    UNION ALL
    (SELECT s.id
     FROM vestige_sql.:"staging_table" s
     WHERE s.id > (SELECT CAST(filled_to AS :id_sql_type) FROM run)
     ORDER BY s.id
     LIMIT :batch_rows)
),
locked AS MATERIALIZED (
    SELECT t.:"id_column" AS id
    FROM :"schema".:"table" t
    WHERE t.:"id_column" IN (SELECT b.id FROM batch b)
    FOR NO KEY UPDATE SKIP LOCKED
),
written AS (
    UPDATE :"schema".:"table" t
    SET :"new_column" = s.embedding
    FROM locked l
    JOIN vestige_sql.:"staging_table" s ON s.id = l.id
    WHERE t.:"id_column" = l.id
      AND s.content_hash = vestige_sql.content_hash(t.:"content_column"::text)
    RETURNING s.id
),
missed AS (
    INSERT INTO vestige_sql.:"changed_table" (id)
    SELECT b.id FROM batch b WHERE b.id NOT IN (SELECT w.id FROM written w)
)
UPDATE vestige_sql.run r
SET filled_to = b.last_key,
    rows_filled = r.rows_filled + (SELECT count(*) FROM written)
FROM (
    SELECT b.id::text AS last_key FROM batch b ORDER BY b.id DESC LIMIT 1
) AS b
WHERE r.id = (SELECT run.id FROM run)
RETURNING r.rows_filled, r.filled_to;
