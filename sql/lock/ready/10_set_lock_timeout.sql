-- Limit how long this transaction waits for a lock.
--
-- Whoever waits for ACCESS EXCLUSIVE makes everybody else wait behind it.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    lock_timeout

SELECT pg_catalog.set_config('lock_timeout', :'lock_timeout', true);
