-- Replace every vector in one pass and give the column its new dimension.
--
-- A row with nothing staged gets NULL. There are no dead rows afterwards. A transaction with an older snapshot that reads
-- the table only now sees it empty.
--
-- A change of type gives the column the type's own storage and compression, so this step sets them again.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Rewrites:     heap and every index of the target
-- Run again:    safe, the transaction leaves nothing behind
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, vector_type, dimension, lookup_function, key_here, storage, compression

-- squawk-ignore-file changing-column-type -- to rewrite the table under its lock is what this step is for
ALTER TABLE :"schema".:"table"
    ALTER COLUMN :"embedding_column" TYPE :vector_type(:dimension)
    USING vestige_sql.:"lookup_function"(:key_here),
    ALTER COLUMN :"embedding_column" SET STORAGE :storage,
    ALTER COLUMN :"embedding_column" SET COMPRESSION :compression;
