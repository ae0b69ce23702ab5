-- Drop the trigger that clears a row's kept vector when the row's text changes.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    keep_trigger, schema, table

DROP TRIGGER IF EXISTS :"keep_trigger" ON :"schema".:"table";
