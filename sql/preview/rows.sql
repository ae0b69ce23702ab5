-- Count the rows with text, those whose vector of that very text is staged, and those of them with an old vector too.
--
-- The counts say how far staging has come. The step reads the whole table.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    content, embedding_column, schema, table, staging_table, id_schema, key, is_chosen

SELECT
    count(*) AS rows_with_text,
    count(*) FILTER (WHERE r.staged) AS rows_staged,
    count(*) FILTER (WHERE r.staged AND r.embedded) AS rows_in_both
FROM (
    SELECT
        vestige_sql.content_hash(:content) IS NOT DISTINCT FROM s.content_hash AS staged,
        t.:"embedding_column" IS NOT NULL AS embedded
    FROM :"schema".:"table" t
    LEFT JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) :key
    WHERE :is_chosen AND vestige_sql.has_text(:content)
) AS r;
