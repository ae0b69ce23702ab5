-- Keep everybody off the target until the transaction ends, or fail at once if the lock is not free.
--
-- Writers are held off already. If this step waited for readers, one that wants to write next would be in a deadlock. That
-- reader would be the one to fail.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is held already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

LOCK TABLE :"schema".:"table" IN ACCESS EXCLUSIVE MODE NOWAIT;
