-- Stop tracking inserts.
--
-- Nobody waits for the new vectors of these rows.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    insert_trigger, schema, table

DROP TRIGGER IF EXISTS :"insert_trigger" ON :"schema".:"table";
