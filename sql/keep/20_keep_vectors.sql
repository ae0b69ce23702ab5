-- Keep the former vectors, so that a rollback needs no encoding.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, what is kept stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    kept_table, id_column, content_column, embedding_column, schema, table

INSERT INTO vestige_sql.:"kept_table" (id, content_hash, embedding)
SELECT t.:"id_column", vestige_sql.content_hash(t.:"content_column"::text), t.:"embedding_column"
FROM :"schema".:"table" t
WHERE t.:"embedding_column" IS NOT NULL
  AND vestige_sql.has_text(t.:"content_column"::text)
ON CONFLICT (id) DO NOTHING;
