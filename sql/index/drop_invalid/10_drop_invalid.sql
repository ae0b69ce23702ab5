-- Drop the column's vector indexes that an earlier build left INVALID.
--
-- Nothing can use them.
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
JOIN pg_catalog.pg_index i
    ON i.indexrelid = pg_catalog.format('%I.%I', :'schema'::text, d.index_name)::regclass AND NOT i.indisvalid
ORDER BY d.index_name \gexec
