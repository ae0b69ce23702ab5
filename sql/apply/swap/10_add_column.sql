-- Add a column for the new vectors, stored as the old one is.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    refused, the column is there
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, new_column, vector_type, dimension, storage, compression

ALTER TABLE :"schema".:"table"
    ADD COLUMN :"new_column" :vector_type(:dimension),
    ALTER COLUMN :"new_column" SET STORAGE :storage,
    ALTER COLUMN :"new_column" SET COMPRESSION :compression;
