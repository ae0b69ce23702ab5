-- Build the saved indexes that are not there, while readers and writers go on.
--
-- An index that is there and valid stays.
--
-- Locks:        SHARE UPDATE EXCLUSIVE on the target
-- Transaction:  forbidden
-- Run again:    safe, an index that is there stays
-- Undo:         DROP INDEX CONCURRENTLY
-- Variables:    schema, table, embedding_column

-- squawk-ignore-file require-lock-timeout -- a timeout that strikes leaves an INVALID index behind
-- squawk-ignore-file prefer-robust-stmts -- this query leaves out an index that is there; IF NOT EXISTS would take an INVALID one
SELECT pg_catalog.regexp_replace(vestige_sql.checked_definition(s), '^CREATE INDEX ', 'CREATE INDEX CONCURRENTLY ')
FROM vestige_sql.saved_index s
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.index_schema, s.built_as)) IS NULL
  -- a partitioned index is made of those of the partitions
  AND vestige_sql.checked_definition(s) !~ '^CREATE INDEX ("([^"]|"")*"|[^" ]+) ON ONLY '
ORDER BY s.index_schema, s.index_name \gexec
