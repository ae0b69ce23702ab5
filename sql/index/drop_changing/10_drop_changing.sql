-- Drop each vector index on the column whose saved definition differs from its own.
--
-- The two differ because the definition says the dimension. The server keeps the other indexes up itself while the vectors
-- change. One that REINDEX CONCURRENTLY left INVALID goes: the server would build it, and it is one too many.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, there is nothing left to drop
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, dimension, row_filter

-- squawk-ignore-file require-concurrent-index-deletion -- the transaction holds ACCESS EXCLUSIVE already, and may yet be undone
SELECT pg_catalog.format('DROP INDEX %I.%I', :'schema'::text, d.index_name)
FROM vestige_sql.rows_index_definitions(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :dimension, NULL, :'row_filter'
) AS d
JOIN vestige_sql.rows_index_definitions(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', NULL, NULL, :'row_filter'
) AS o ON o.index_name = d.index_name AND (d.definition IS NULL OR o.definition IS DISTINCT FROM d.definition)
ORDER BY d.index_name \gexec
