-- Every row that has text has a staged vector for that very text.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, id_column, staging_table, id_schema, content_column, embedding_column, only_missing

SELECT vestige_sql.require(
    count(*) = 0,
    format('%s rows of %I.%I have text but no staged vector for it, the first with %I = %s; the table is as it was',
        count(*), :'schema'::text, :'table'::text, :'id_column'::text, min(t.:"id_column"::text)),
    'rows came or changed since they were staged: run vestige-sql migrate stage again'
)
FROM :"schema".:"table" t
LEFT JOIN vestige_sql.:"staging_table" s
    ON s.id OPERATOR(:"id_schema".=) t.:"id_column"
    AND s.content_hash = vestige_sql.content_hash(t.:"content_column"::text)
WHERE s.id IS NULL
  AND vestige_sql.has_text(t.:"content_column"::text)
  AND (t.:"embedding_column" IS NULL OR NOT :only_missing);
