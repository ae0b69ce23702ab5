-- Show the server process that serves this transaction.
--
-- A session has one process. A pooler in transaction mode gives each transaction another session.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT pg_catalog.pg_backend_pid() AS process;
