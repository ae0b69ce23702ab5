-- Close a run whose indexes are built, as done.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, a closed run stays as it is
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

UPDATE vestige_sql.run
SET state = 'done', finished_at = clock_timestamp(), last_error = NULL
WHERE table_schema = :'schema' AND table_name = :'table' AND column_name = :'embedding_column'
  AND (state = 'applied' OR state = 'staging' AND scope = 'index');
