-- Keep in the audit that the vectors are in place. What the run made for itself is still to be cleared away.
--
-- Locks:        none on the target
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, a closed run stays as it is
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

UPDATE vestige_sql.run r
SET state = 'applied', applied_at = clock_timestamp()
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'filling'
RETURNING r.id;
