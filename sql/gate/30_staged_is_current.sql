-- No staged vector is for a text that its row no longer has.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, id_column, staging_table, id_schema, content_column

SELECT vestige_sql.require(
    count(*) = 0,
    format('%s staged vectors are for text that its row of %I.%I no longer has, the first with %I = %s; the table is as it was',
        count(*), :'schema'::text, :'table'::text, :'id_column'::text, min(t.:"id_column"::text)),
    'rows changed since they were staged: run vestige-sql migrate stage again'
)
FROM vestige_sql.:"staging_table" s
JOIN :"schema".:"table" t ON t.:"id_column" OPERATOR(:"id_schema".=) s.id
WHERE NOT vestige_sql.has_text(t.:"content_column"::text)
   OR s.content_hash <> vestige_sql.content_hash(t.:"content_column"::text);
