-- Find the last key before the first row that may be pending, because a pass over the table begins after it.
--
-- No row comes back where no row is pending. after is NULL where the table's very first row is pending.
--
-- The two keys' indexes give the rows without a staged vector, in order. Only their text is looked at, so a run that goes on
-- does not page through all that is staged already.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    id_column, schema, table, id_schema, staging_table, content_column, embedding_column, only_missing

SELECT (
    SELECT b.:"id_column"::text
    FROM :"schema".:"table" b
    WHERE b.:"id_column" OPERATOR(:"id_schema".<) first.id
    ORDER BY b.:"id_column" DESC
    LIMIT 1
) AS after
FROM (
    SELECT u.id
    FROM (
        SELECT t.:"id_column" AS id
        FROM :"schema".:"table" t
        WHERE NOT EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) t.:"id_column")
        ORDER BY t.:"id_column"
        -- done before any text is looked at
        OFFSET 0
    ) AS u
    WHERE EXISTS (
        SELECT
        FROM :"schema".:"table" p
        WHERE p.:"id_column" OPERATOR(:"id_schema".=) u.id
          AND vestige_sql.has_text(p.:"content_column"::text)
          AND (p.:"embedding_column" IS NULL OR NOT :only_missing)
        -- asked of one row after another, up to the first that is pending
        OFFSET 0
    )
    ORDER BY u.id
    LIMIT 1
) AS first;
