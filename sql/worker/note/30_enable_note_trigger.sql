-- Let the trigger note changes whoever writes.
--
-- It also fires in sessions whose session_replication_role is replica, such as a subscription's.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is on
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, note_trigger

ALTER TABLE :"schema".:"table" ENABLE ALWAYS TRIGGER :"note_trigger";
