-- Give the session its own settings back.
--
-- The runner does so at its end where the session is a pooler's, which goes on with it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to reset
-- Undo:         nothing to undo
-- Variables:    none

RESET ALL;
