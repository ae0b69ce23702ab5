-- Drop the function that cleared kept vectors.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    keep_function

-- squawk-ignore-file ban-drop-function -- the function is the run's own, and its trigger is gone
DROP FUNCTION IF EXISTS vestige_sql.:"keep_function"();
