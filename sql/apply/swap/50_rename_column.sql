-- Give the new column the old one's name.
--
-- It now stands last in the table.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    refused, the column is renamed
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, new_column, embedding_column

-- squawk-ignore-file renaming-column -- nobody knows the column's former name, which this transaction gave it
ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"new_column" TO :"embedding_column";
