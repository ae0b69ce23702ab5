-- Drop the function that noted changed rows. Nothing calls it any more.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it is gone
-- Undo:         nothing to undo
-- Variables:    track_function

-- squawk-ignore-file ban-drop-function -- the function is the run's own, and nobody waits for it
DROP FUNCTION IF EXISTS vestige_sql.:"track_function"();
