-- Keep the former vectors under another name.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    refused, the column is renamed
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, kept_column

-- squawk-ignore-file renaming-column -- the new column takes the name before anybody can look
ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"embedding_column" TO :"kept_column";
