-- Note no more changes of the target's texts.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, they are gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    insert_trigger, schema, table, update_trigger

DROP TRIGGER IF EXISTS :"insert_trigger" ON :"schema".:"table";
DROP TRIGGER IF EXISTS :"update_trigger" ON :"schema".:"table";
