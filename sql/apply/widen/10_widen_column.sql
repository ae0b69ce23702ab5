-- Take the typmod off the column, so that it holds vectors of any dimension.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, the transaction leaves nothing behind
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, vector_type, storage, compression

-- squawk-ignore-file changing-column-type -- taking the typmod off rewrites nothing
ALTER TABLE :"schema".:"table"
    ALTER COLUMN :"embedding_column" TYPE :vector_type,
    ALTER COLUMN :"embedding_column" SET STORAGE :storage,
    ALTER COLUMN :"embedding_column" SET COMPRESSION :compression;
