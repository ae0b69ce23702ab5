-- Show where the target's former vectors are kept, of which model they are, and since when.
--
-- kept_column_size.sql and kept_table_size.sql measure the space that they take.
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
