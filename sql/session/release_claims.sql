-- Release the claims that the session still has.
--
-- The runner does so at its end where the session is a pooler's, which goes on with it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to release
-- Undo:         nothing to undo
-- Variables:    none

SELECT pg_catalog.pg_advisory_unlock_all();
