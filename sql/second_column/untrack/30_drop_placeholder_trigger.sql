-- Stop giving placeholders to rows that are written with NULL in the second column.
--
-- Only a column that is NOT NULL has the trigger.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, insert_trigger

SELECT pg_catalog.format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::regclass)
FROM pg_catalog.pg_trigger g
WHERE g.tgrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
  AND g.tgname = replace(:'insert_trigger', 'vestige_sql_note_inserted_', 'zz_vestige_sql_hold_place_') \gexec
