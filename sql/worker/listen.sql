-- Have the server tell this session when a change is noted.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it listens already
-- Undo:         ends with the session
-- Variables:    none

LISTEN vestige_sql_worker;
