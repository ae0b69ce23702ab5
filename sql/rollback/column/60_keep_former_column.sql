-- Keep the column that was live until now, under the kept column's name.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    refused, the column is renamed
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, new_column, kept_column

-- squawk-ignore-file renaming-column -- nobody knows the name that it had for a moment
ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"new_column" TO :"kept_column";
