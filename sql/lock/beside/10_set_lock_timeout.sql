-- Limit how long this session waits for a lock while it reads and another session of the run keeps writers off the target.
--
-- Somebody may wait for the whole table, as VACUUM FULL does. This session would then wait behind them, and they wait for
-- the run. The server does not see this deadlock: the session that keeps writers off waits for nothing the server knows of.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it sets the same value
-- Undo:         ends with the session
-- Variables:    lock_timeout

SELECT pg_catalog.set_config('lock_timeout', :'lock_timeout', false);
