-- Compare what is staged with the target, row by row: count what is staged, changed, gone and pending.
--
-- staged is for the text as it is, changed for another text, gone for a row that is gone. pending is not staged yet.
--
-- The next run encodes what has changed and what is pending, and drops what is gone. variables.psql has the open run's
-- variables.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    is_chosen, content, key, only_missing, embedding_column, schema, table, staging_table, id_schema

SELECT
    count(*) FILTER (WHERE r.staged AND r.has_text AND r.same_text) AS staged,
    count(*) FILTER (WHERE r.staged AND r.has_text AND NOT r.same_text) AS changed,
    count(*) FILTER (WHERE r.staged AND NOT r.has_text) AS gone,
    count(*) FILTER (WHERE NOT r.staged AND r.has_text AND r.wanted) AS pending
FROM (
    SELECT
        s.id IS NOT NULL AS staged,
        :is_chosen AND vestige_sql.has_text(:content) AS has_text,
        vestige_sql.content_hash(:content) = s.content_hash AS same_text,
        :key IS NOT NULL AND (NOT :only_missing OR t.:"embedding_column" IS NULL) AS wanted
    FROM :"schema".:"table" t
    FULL JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) :key
) AS r;
