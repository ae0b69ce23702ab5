-- Leave out each kept vector whose row is gone or has another text by now.
--
-- A row with another text has NULL afterwards.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, there is nothing left to discard
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    staging_table, schema, table, id_column, id_schema, content_column

DELETE FROM vestige_sql.:"staging_table" s
USING vestige_sql.:"staging_table" k
LEFT JOIN :"schema".:"table" t
    ON t.:"id_column" OPERATOR(:"id_schema".=) k.id AND k.content_hash = vestige_sql.content_hash(t.:"content_column"::text)
WHERE s.id OPERATOR(:"id_schema".=) k.id AND t.:"id_column" IS NULL;
