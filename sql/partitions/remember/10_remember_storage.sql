-- Remember, for this transaction, how the partitions store the column.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

SELECT pg_catalog.set_config('vestige_sql.storage', coalesce(pg_catalog.json_agg(s.statement)::text, '[]'), true) AS storage
FROM vestige_sql.partition_storage(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :'embedding_column'
) AS s (statement);
