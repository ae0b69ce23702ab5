-- Remember that every former vector is of its row's text, and which trigger sees to that from the switch on.
--
-- The trigger is known by the transaction that last changed it. So whoever disables and enables it again does not go unnoticed.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it remembers the same
-- Undo:         nothing to undo
-- Variables:    schema, table, keep_trigger, embedding_column

UPDATE vestige_sql.kept k
SET guard = (
    SELECT g.xmin
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
      AND g.tgname = :'keep_trigger' AND g.tgenabled = 'A')
WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column' AND k.place = 'column'
  -- a run that cleared away before it was killed has remembered it already
  AND k.guard IS NULL;
