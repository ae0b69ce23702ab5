-- Make the saved partitioned indexes that are not there, without those of the partitions.
--
-- Nothing is built, under a SHARE lock on the partitioned table that is held for a moment. An index of a table that is not
-- partitioned was built before.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, an index that is there stays
-- Undo:         DROP INDEX
-- Variables:    schema, table, embedding_column

SELECT vestige_sql.checked_definition(s)
FROM vestige_sql.saved_index s
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.index_schema, s.built_as)) IS NULL
  AND vestige_sql.checked_definition(s) ~ '^CREATE INDEX ("([^"]|"")*"|[^" ]+) ON ONLY '
ORDER BY s.index_schema, s.index_name \gexec
