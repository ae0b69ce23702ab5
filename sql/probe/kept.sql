-- The former vectors that are kept of the target, of which model, where, and how much space they take. Reads the whole table.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT
    k.place, k.model_name AS name, k.dimension, k.model_hash AS hash, k.run_id, k.kept_at
FROM vestige_sql.kept k
WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column';
