-- Let both triggers note changes whoever writes.
--
-- They also fire in sessions whose session_replication_role is replica, such as a subscription's.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, they are on
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, insert_trigger, update_trigger

ALTER TABLE :"schema".:"table"
    ENABLE ALWAYS TRIGGER :"insert_trigger",
    ENABLE ALWAYS TRIGGER :"update_trigger";
