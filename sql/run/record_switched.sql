-- Keep in the audit that the columns have changed names.
--
-- A run that goes back is done. What another run made for itself is still to be cleared away.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, a closed run stays as it is
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    embedding_column, schema, table

UPDATE vestige_sql.run r
SET state = CASE r.scope WHEN 'back' THEN 'done' ELSE 'applied' END,
    -- swap and the switch have put another column under the name
    column_number = (
        SELECT a.attnum FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = r.table_oid AND a.attname = :'embedding_column' AND NOT a.attisdropped),
    applied_at = clock_timestamp(),
    finished_at = CASE r.scope WHEN 'back' THEN clock_timestamp() END
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'filling'
RETURNING r.id;
