-- With keep_untyped, take the dimension off the column, if it has one, so that it holds vectors of any dimension.
--
-- Nothing is written anew. Without keep_untyped, or where the column has no dimension, there is no statement.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, the column has no dimension any more
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, vector_type, storage, compression, keep_untyped

-- squawk-ignore-file changing-column-type -- taking the typmod off rewrites nothing
SELECT pg_catalog.format(
    'ALTER TABLE %1$I.%2$I ALTER COLUMN %3$I TYPE %4$s, ALTER COLUMN %3$I SET STORAGE %5$s, ALTER COLUMN %3$I SET COMPRESSION %6$s',
    :'schema'::text, :'table'::text, :'embedding_column'::text, :'vector_type'::text, :'storage'::text, :'compression'::text)
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
  AND a.attname = :'embedding_column'
  AND a.atttypmod <> -1
  AND :keep_untyped \gexec
