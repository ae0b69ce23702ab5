-- Close the run in the audit: the former vectors are live.
--
-- Locks:        none on the target
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, a closed run stays as it is
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

UPDATE vestige_sql.run r
SET state = 'done', applied_at = clock_timestamp(), finished_at = clock_timestamp()
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'filling'
RETURNING r.id;
