-- Ask whether anything is still to be staged, or to be dropped from staging.
--
-- A row is still to be staged if it has text and no staged vector for that very text. A staged vector is to be dropped if its
-- row is gone or has another text by now.
--
-- These are the questions of stage/page.sql and stage/discard_stale.sql in one. They are asked of the whole table, and bring
-- no texts. Each row is looked at once, and workers may share in it.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    is_chosen, content, embedding_column, only_missing, staging_table, schema, table, id_schema, key

SELECT
    coalesce(bool_or(CASE
        WHEN NOT (:is_chosen AND vestige_sql.has_text(:content)) THEN s.id IS NOT NULL
        WHEN s.content_hash = vestige_sql.content_hash(:content) THEN false
        WHEN t.:"embedding_column" IS NULL OR NOT :only_missing THEN true
        ELSE s.id IS NOT NULL
    END), false)
    OR count(s.id) <> (SELECT count(*) FROM vestige_sql.:"staging_table") AS is_left
FROM :"schema".:"table" t
LEFT JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) :key;
