-- Let the partitions store the new column as they store the old one.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, new_column

SELECT *
FROM vestige_sql.partition_storage(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :'new_column'
) \gexec
