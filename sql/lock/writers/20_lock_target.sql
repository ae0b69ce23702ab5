-- Keep writers off the target until the transaction ends.
--
-- Readers go on.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is held already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

LOCK TABLE :"schema".:"table" IN SHARE ROW EXCLUSIVE MODE;
