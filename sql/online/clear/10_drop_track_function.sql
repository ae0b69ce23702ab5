-- Drop the function that noted changed rows.
--
-- Nothing calls it any more.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    track_function

-- squawk-ignore-file ban-drop-function, require-lock-timeout -- the function is the run's own, and nobody waits for it
DROP FUNCTION IF EXISTS vestige_sql.:"track_function"();
