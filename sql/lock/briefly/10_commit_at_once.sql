-- Let COMMIT wait for neither the disk nor a synchronous standby.
--
-- While the table is locked, everybody waits for COMMIT.
--
-- The log keeps its order: what is committed later reaches the disk, or a standby, no sooner than this does. A server that
-- crashes at once may come up as it was before the transaction, in one piece.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT pg_catalog.set_config('synchronous_commit', 'off', true);
