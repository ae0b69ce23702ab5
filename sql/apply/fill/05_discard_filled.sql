-- Delete the staged vectors of rows that another session has filled meanwhile.
--
-- What is left is then what is written.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, there is nothing left to delete
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    staging_table, schema, table, key_is_k, embedding_column

DELETE FROM vestige_sql.:"staging_table" k
USING :"schema".:"table" t
WHERE :key_is_k
  AND t.:"embedding_column" IS NOT NULL;
