-- Show the last run of the target: what became of it, and the model that it was to.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT r.id, r.scope, r.state, r.to_name AS name, r.to_dimension AS dimension, r.to_hash AS hash
FROM vestige_sql.run r
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
ORDER BY r.id DESC
LIMIT 1;
