-- Give the column the dimension of its model.
--
-- The server checks every vector that is there against it.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Rewrites:     heap and every index of the target, unless the column has that dimension
-- Run again:    safe, the column has that dimension
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, vector_type, dimension, storage, compression

-- squawk-ignore-file changing-column-type -- the server is to check every vector, under the lock that is held
ALTER TABLE :"schema".:"table"
    ALTER COLUMN :"embedding_column" TYPE :vector_type(:dimension),
    ALTER COLUMN :"embedding_column" SET STORAGE :storage,
    ALTER COLUMN :"embedding_column" SET COMPRESSION :compression;
