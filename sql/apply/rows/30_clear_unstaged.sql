-- Remove the old vector from those of the target's rows that have no text to embed.
--
-- Locks:        ROW EXCLUSIVE on the target
-- Transaction:  required
-- Fires:        no triggers, while triggers/disable/ has them off
-- Run again:    safe, the transaction leaves nothing behind
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, is_chosen, staging_table, id_schema, key

UPDATE :"schema".:"table" t
SET :"embedding_column" = NULL
WHERE t.:"embedding_column" IS NOT NULL
  AND :is_chosen
  AND NOT EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) :key);
