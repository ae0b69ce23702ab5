-- Drop the trigger that lets no kept vector outlive its text.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    keep_trigger, schema, table

DROP TRIGGER IF EXISTS :"keep_trigger" ON :"schema".:"table";
