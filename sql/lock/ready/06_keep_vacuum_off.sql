-- Keep VACUUM, ANALYZE and index builds off the target until the transaction ends. Readers and writers go on, and nobody waits
-- behind this: what would have to wait with everybody behind it for an autovacuum waits here.
--
-- Locks:        SHARE UPDATE EXCLUSIVE on the target
-- Transaction:  required
-- Run again:    safe, it is held already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

LOCK TABLE ONLY :"schema".:"table" IN SHARE UPDATE EXCLUSIVE MODE;
