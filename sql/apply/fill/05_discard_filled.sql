-- Delete the staged vectors of rows that another session has filled meanwhile.
--
-- What is left is then what is written.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, there is nothing left to delete
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    staging_table, schema, table, id_column, id_schema, embedding_column

DELETE FROM vestige_sql.:"staging_table" s
USING :"schema".:"table" t
WHERE t.:"id_column" OPERATOR(:"id_schema".=) s.id
  AND t.:"embedding_column" IS NOT NULL;
