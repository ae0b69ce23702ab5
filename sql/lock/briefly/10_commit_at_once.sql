-- Let COMMIT wait neither for the disk nor for a synchronous standby, because with the table locked everybody waits for COMMIT.
--
-- The log keeps its order: what is committed later is not on disk, or on a standby, before this is. A server that crashes at
-- once may come up as it was before the transaction, in one piece.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT pg_catalog.set_config('synchronous_commit', 'off', true);
