-- Keep VACUUM, ANALYZE and index builds off the target until the transaction ends.
--
-- Readers and writers go on. Waiting for an autovacuum happens here, where nobody queues behind us. At a later lock
-- everybody would queue.
--
-- Locks:        SHARE UPDATE EXCLUSIVE on the target
-- Transaction:  required
-- Run again:    safe, it is held already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

LOCK TABLE :"schema".:"table" IN SHARE UPDATE EXCLUSIVE MODE;
