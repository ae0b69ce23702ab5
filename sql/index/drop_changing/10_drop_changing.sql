-- Drop each vector index on the column whose saved definition differs from its own.
--
-- The two differ because the definition says the dimension. The server keeps the other indexes up itself while the vectors
-- change. One that REINDEX CONCURRENTLY left INVALID goes: the server would build it, and it is one too many. So do all of a
-- partitioned table: the server would build those of the partitions under other names, without their parameters and comments.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, there is nothing left to drop
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, dimension, row_filter

-- squawk-ignore-file require-concurrent-index-deletion -- the transaction holds ACCESS EXCLUSIVE already, and may yet be undone
SELECT pg_catalog.format('DROP INDEX %I.%I', d.index_schema, d.index_name)
FROM vestige_sql.all_indexes(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :dimension, NULL, :'row_filter'
) AS d
LEFT JOIN vestige_sql.rows_index_definitions(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', NULL, NULL, :'row_filter'
) AS o ON o.index_name = d.index_name
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
WHERE d.attached_to IS NULL
  AND (c.relkind = 'p' OR d.definition IS NULL OR o.definition IS DISTINCT FROM d.definition)
ORDER BY d.index_schema, d.index_name \gexec
