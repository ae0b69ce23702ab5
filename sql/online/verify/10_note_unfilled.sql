-- Note as changed every row whose second column lacks the staged vector of its very text, or is not NULL without text.
--
-- Such a row was missed, or somebody wrote it by hand.
--
-- Rows and notes are seen as of one moment, since a writer's row and its note are committed together. The step reads the
-- whole table and everything that is staged, and locks nobody out.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, what is noted is left out
-- Undo:         nothing to undo
-- Variables:    changed_table, key, schema, table, staging_table, id_schema, content, new_column, vector_schema

WITH noted AS (
    INSERT INTO vestige_sql.:"changed_table" (id)
    SELECT :key
    FROM :"schema".:"table" t
    LEFT JOIN vestige_sql.:"staging_table" s
        ON s.id OPERATOR(:"id_schema".=) :key
        AND s.content_hash = vestige_sql.content_hash(:content)
    WHERE CASE
            WHEN vestige_sql.has_text(:content)
                THEN (t.:"new_column" OPERATOR(:"vector_schema".=) s.embedding) IS NOT TRUE
            ELSE t.:"new_column" IS NOT NULL
        END
      AND NOT EXISTS (SELECT FROM vestige_sql.:"changed_table" c WHERE c.id OPERATOR(:"id_schema".=) :key)
    RETURNING id
)
SELECT count(*) AS rows_noted FROM noted;
