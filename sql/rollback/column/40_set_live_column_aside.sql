-- Take its name from the live column, so that the kept column can have it.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    refused, the column is renamed
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, new_column

-- squawk-ignore-file renaming-column -- the kept column takes the name before anybody can look
ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"embedding_column" TO :"new_column";
