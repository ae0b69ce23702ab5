-- Drop the column's vector indexes, whose definitions are saved.
--
-- Building an index anew is quicker than keeping it up while every vector changes. Those of the partitions go with the index that
-- they are a part of.
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
WHERE d.attached_to IS NULL
ORDER BY d.index_schema, d.index_name \gexec
