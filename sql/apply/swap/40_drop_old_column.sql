-- Drop the old column and every index on it.
--
-- The old bytes stay in the rows until the table is rewritten.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    refused, the column is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

-- squawk-ignore-file ban-drop-column -- a column of the same name takes its place before anybody can look
ALTER TABLE :"schema".:"table"
    DROP COLUMN :"embedding_column";
