-- Show the key, the text and the rows that the open run was begun with, or the run whose former vectors are kept.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT
    r.variables ->> 'id_column' AS id_column, r.variables ->> 'content_column' AS content_column,
    r.variables ->> 'content_expression' AS content_expression, r.id AS run_id, r.row_filter
FROM vestige_sql.run r
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND (r.state IN ('staging', 'filling', 'applied') OR r.id IN (
      SELECT k.run_id FROM vestige_sql.kept k
      WHERE k.table_schema = r.table_schema AND k.table_name = r.table_name AND k.column_name = r.column_name))
ORDER BY r.state IN ('staging', 'filling', 'applied') DESC
LIMIT 1;
