-- Forget the definitions of indexes that are there and valid under their own name.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to forget
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

DELETE FROM vestige_sql.saved_index s
USING pg_catalog.pg_index i
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND i.indexrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.table_schema, s.built_as))
  AND i.indisvalid AND s.built_as = s.index_name;
