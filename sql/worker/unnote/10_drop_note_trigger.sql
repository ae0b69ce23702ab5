-- Note no change any more: drop the worker's trigger.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, there is none
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    note_trigger, schema, table

DROP TRIGGER IF EXISTS :"note_trigger" ON :"schema".:"table";
