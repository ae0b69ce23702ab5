-- Keep everybody off the target until the transaction ends: readers too.
--
-- The partitions of a partitioned table are locked after it.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is held already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

LOCK TABLE :"schema".:"table" IN ACCESS EXCLUSIVE MODE;
