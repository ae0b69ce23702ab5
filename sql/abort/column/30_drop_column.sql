-- Drop the second column. Its bytes stay in the rows until they are next rewritten.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, new_column

-- squawk-ignore-file ban-drop-column -- nobody but the run has used it
ALTER TABLE :"schema".:"table"
    DROP COLUMN IF EXISTS :"new_column";
