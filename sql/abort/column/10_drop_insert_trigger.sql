-- Note no more rows that come.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    insert_trigger, schema, table

DROP TRIGGER IF EXISTS :"insert_trigger" ON :"schema".:"table";
