-- Show the model that the package's own registry names for the target's column.
--
-- There is no row where none is registered.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT m.model_name AS name, m.dimension, m.model_hash AS hash
FROM vestige_sql.model m
WHERE m.table_schema = :'schema' AND m.table_name = :'table' AND m.column_name = :'embedding_column';
