-- Drop the second column.
--
-- Its bytes stay in the rows until they are next rewritten.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, second_column

-- squawk-ignore-file ban-drop-column -- nobody has used it yet, or a person has given it up
ALTER TABLE :"schema".:"table"
    DROP COLUMN IF EXISTS :"second_column";
