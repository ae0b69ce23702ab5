-- How many rows are pending: they have text, and no staged vector for that very text.
--
-- The same question as that of stage/page.sql, asked of the whole table at once and without bringing texts.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, staging_table, id_schema, id_column, embedding_column, only_missing, content_column

SELECT count(*) AS rows_pending
FROM :"schema".:"table" t
LEFT JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) t.:"id_column"
WHERE (t.:"embedding_column" IS NULL OR NOT :only_missing)
  AND s.content_hash IS DISTINCT FROM vestige_sql.content_hash(t.:"content_column"::text)
  AND vestige_sql.has_text(t.:"content_column"::text);
