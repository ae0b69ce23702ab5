-- Check that every row with text has a staged vector for it, and that no row has one for a text it no longer has.
--
-- One look at each row checks both.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, key_name, key, is_chosen, content, embedding_column, only_missing, staging_table, id_schema

SELECT
    vestige_sql.require(
        f.missing = 0,
        format('%s rows of %I.%I have text but no staged vector for it, the first with %s = %s; the table is as it was',
            f.missing, :'schema'::text, :'table'::text, :'key_name'::text, f.first_missing),
        'rows were added or changed since staging; run vestige-sql migrate stage again'
    ),
    vestige_sql.require(
        f.stale = 0,
        format('%s staged vectors are for texts that their rows of %I.%I no longer have, the first with %s = %s; the table is as it was',
            f.stale, :'schema'::text, :'table'::text, :'key_name'::text, f.first_stale),
        'rows changed since they were staged; run vestige-sql migrate stage again'
    )
FROM (
    SELECT
        count(*) FILTER (WHERE r.fault = 'missing') AS missing,
        min(r.key) FILTER (WHERE r.fault = 'missing') AS first_missing,
        count(*) FILTER (WHERE r.fault = 'stale') AS stale,
        min(r.key) FILTER (WHERE r.fault = 'stale') AS first_stale
    FROM (
        SELECT
            :key::text AS key,
            CASE
                WHEN NOT (:is_chosen AND vestige_sql.has_text(:content)) THEN CASE WHEN s.id IS NOT NULL THEN 'stale' END
                WHEN s.content_hash = vestige_sql.content_hash(:content) THEN NULL
                WHEN t.:"embedding_column" IS NULL OR NOT :only_missing THEN 'missing'
                WHEN s.id IS NOT NULL THEN 'stale'
            END AS fault
        FROM :"schema".:"table" t
        LEFT JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) :key
    ) AS r
    WHERE r.fault IS NOT NULL
) AS f;
