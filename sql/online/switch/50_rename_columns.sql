-- Give the new column the name of the former one, which is kept under another.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    refused, the columns are renamed
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, kept_column, new_column

-- squawk-ignore-file renaming-column -- to be found under the former one's name is what the new one is for
ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"embedding_column" TO :"kept_column";

ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"new_column" TO :"embedding_column";
