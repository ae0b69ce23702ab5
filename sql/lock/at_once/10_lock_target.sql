-- Keep everybody off the target until the transaction ends, or fail at once where that cannot be.
--
-- Writers are held off already. To wait here for readers would put one that wants to write next into a deadlock, and it would be
-- the one to fail.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is held already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

LOCK TABLE ONLY :"schema".:"table" IN ACCESS EXCLUSIVE MODE NOWAIT;
