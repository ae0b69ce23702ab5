-- Give the kept column the live column's name.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    refused, the column is renamed
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, kept_column, embedding_column

-- squawk-ignore-file renaming-column -- to be found under this name is what it was kept for
ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"kept_column" TO :"embedding_column";
