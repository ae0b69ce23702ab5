-- Remember, for this transaction, the open run under which the audit keeps the steps.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

SELECT pg_catalog.set_config('vestige_sql.run_id', r.id::text, true)
FROM vestige_sql.run r
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'staging';
