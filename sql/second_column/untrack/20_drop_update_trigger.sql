-- Stop tracking updates.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    update_trigger, schema, table

DROP TRIGGER IF EXISTS :"update_trigger" ON :"schema".:"table";
