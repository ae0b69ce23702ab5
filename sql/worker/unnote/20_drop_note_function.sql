-- Drop the function that noted changes.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, there is none
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    note_function

-- squawk-ignore-file ban-drop-function -- that is what it is for, at a person's word
DROP FUNCTION IF EXISTS vestige_sql.:"note_function"();
