-- Keep in the audit that the columns have changed names.
--
-- A run that goes back is done. What another run made for itself is still to be cleared away.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, a closed run stays as it is
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

UPDATE vestige_sql.run r
SET state = CASE r.scope WHEN 'back' THEN 'done' ELSE 'applied' END,
    applied_at = clock_timestamp(),
    finished_at = CASE r.scope WHEN 'back' THEN clock_timestamp() END
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'filling'
RETURNING r.id;
