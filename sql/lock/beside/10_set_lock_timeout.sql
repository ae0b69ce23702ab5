-- In a session that reads the target while another one of the run holds its writers off: wait for a lock no longer than this.
--
-- Where somebody waits for the whole table, as VACUUM FULL does, this session would wait behind it, and it waits for the run:
-- a deadlock that the server does not see, for the session that holds writers off waits for nothing that it knows of.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it sets the same value
-- Undo:         ends with the session
-- Variables:    lock_timeout

SELECT pg_catalog.set_config('lock_timeout', :'lock_timeout', false);
