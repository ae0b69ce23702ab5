-- Copy some rows into the copy, drawn at random from all over the target.
--
-- They are the same rows each time.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    refused, the rows are there already, by the copy's key
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    copy_table, schema, table, percent, embedding_column, only_missing, is_chosen

INSERT INTO vestige_sql.:"copy_table"
SELECT t.*
FROM :"schema".:"table" t TABLESAMPLE BERNOULLI (:percent) REPEATABLE (0)
WHERE (t.:"embedding_column" IS NULL OR NOT :only_missing)
  AND :is_chosen;
