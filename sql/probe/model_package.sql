-- Show the model that the package's own registry names for the target's column.
--
-- The registry knows the table by its oid and the column by its number. There is no row where none is registered, or where the
-- registry came by dump and restore.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, row_filter

SELECT m.model_name AS name, m.dimension, m.model_hash AS hash
FROM vestige_sql.model m
JOIN vestige_sql.home h ON h.id = m.home AND h.place = h.tableoid AND h.written_by = h.xmin
JOIN pg_catalog.pg_attribute a ON a.attrelid = m.table_oid AND a.attnum = m.column_number
WHERE m.table_oid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
  AND a.attname = :'embedding_column'
  AND m.row_filter = :'row_filter';
