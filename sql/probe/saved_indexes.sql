-- List the vector indexes that a run dropped and has still to build.
--
-- Indexes that an online run builds beside the former ones are not listed.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT s.index_name AS name, s.definition
FROM vestige_sql.saved_index s
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND s.built_as = s.index_name
ORDER BY s.index_name;
