-- Write the staged vectors into the rows that lack one.
--
-- The model is the registered one, so nothing is mixed.
--
-- Locks:        ROW EXCLUSIVE on the target
-- Transaction:  required
-- Fires:        no triggers, while triggers/disable/ has them off
-- Run again:    safe, the transaction leaves nothing behind
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, staging_table, key_is_k

UPDATE :"schema".:"table" t
SET :"embedding_column" = k.embedding
FROM vestige_sql.:"staging_table" k
WHERE :key_is_k
  AND t.:"embedding_column" IS NULL;
