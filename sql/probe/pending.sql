-- What is still to be staged: rows that have text and no staged vector for that very text, and staged vectors of no use, for their
-- row is gone or has another text by now.
--
-- The questions of stage/page.sql and stage/discard_stale.sql in one, asked of the whole table and without bringing texts.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    staging_table, content_column, embedding_column, only_missing, schema, table, id_schema, id_column

SELECT
    coalesce(sum(c.rows) FILTER (WHERE c.state = 'pending'), 0)::bigint AS rows_pending,
    ((SELECT count(*) FROM vestige_sql.:"staging_table") - coalesce(sum(c.rows) FILTER (WHERE c.state = 'staged'), 0))::bigint AS rows_stale
FROM (
    SELECT
        CASE
            WHEN NOT vestige_sql.has_text(t.:"content_column"::text) THEN 'blank'
            WHEN s.content_hash = vestige_sql.content_hash(t.:"content_column"::text) THEN 'staged'
            WHEN t.:"embedding_column" IS NULL OR NOT :only_missing THEN 'pending'
        END AS state,
        count(*) AS rows
    FROM :"schema".:"table" t
    LEFT JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) t.:"id_column"
    GROUP BY 1
) AS c;
