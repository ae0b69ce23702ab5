-- Build the saved indexes that are not there.
--
-- Locks:        SHARE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, an index that is there stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

-- squawk-ignore-file require-concurrent-index-creation -- index/concurrently/ is for that; this one is atomic with the vectors
SELECT vestige_sql.checked_definition(s)
FROM vestige_sql.saved_index s
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.index_schema, s.index_name)) IS NULL
ORDER BY s.index_schema, s.index_name \gexec
