-- Every row has the vector of its very text in the second column, or NULL where it has no text, but for those that are noted
-- as changed.
--
-- Rows and notes are seen as of one moment, for a writer's row and its note are committed as one. Reads the whole table, and
-- locks nobody out.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, new_column, id_column, staging_table, content_column, vector_schema, changed_table

SELECT vestige_sql.require(
    count(*) = 0,
    format('%s rows of %I.%I do not have the vector of their text in %I, the first with %I = %s; search goes on in the former vectors',
        count(*), :'schema'::text, :'table'::text, :'new_column'::text, :'id_column'::text, min(t.:"id_column"::text)),
    'run vestige-sql migrate reembed --online again; if that does not help, vestige-sql migrate abort'
)
FROM :"schema".:"table" t
LEFT JOIN vestige_sql.:"staging_table" s
    ON s.id = t.:"id_column"
    AND s.content_hash = vestige_sql.content_hash(t.:"content_column"::text)
WHERE CASE
        WHEN vestige_sql.has_text(t.:"content_column"::text)
            THEN s.id IS NULL OR t.:"new_column" IS NULL
                OR NOT (t.:"new_column" OPERATOR(:"vector_schema".<#>) t.:"new_column") < 0
        ELSE t.:"new_column" IS NOT NULL
    END
  AND NOT EXISTS (SELECT FROM vestige_sql.:"changed_table" c WHERE c.id = t.:"id_column");
