-- Write the staged vectors into their rows. All other rows stay as they are, byte for byte.
--
-- Each of these rows leaves a dead one behind until the table is vacuumed. The staging table's column has let in only vectors
-- of one dimension.
--
-- Locks:        ROW EXCLUSIVE on the target
-- Transaction:  required
-- Fires:        no triggers, while triggers/disable/ has them off
-- Run again:    safe, the transaction leaves nothing behind
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, staging_table, id_schema, key, is_chosen

UPDATE :"schema".:"table" t
SET :"embedding_column" = s.embedding
FROM vestige_sql.:"staging_table" s
WHERE s.id OPERATOR(:"id_schema".=) :key
  AND :is_chosen;
