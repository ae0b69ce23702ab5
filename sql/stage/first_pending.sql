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
-- Variables:    key, schema, table, key_is_before_k, key_backwards, key_columns, staging_table, id_schema, key_is_k, is_chosen, content, embedding_column, only_missing

SELECT (
    SELECT :key::text
    FROM :"schema".:"table" t
    WHERE :key_is_before_k
    ORDER BY :key_backwards
    LIMIT 1
) AS after
FROM (
    SELECT k.id
    FROM (
        SELECT :key_columns
        FROM :"schema".:"table" t
        WHERE NOT EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) :key)
        ORDER BY :key_columns
        -- done before any text is looked at
        OFFSET 0
    ) AS t
    CROSS JOIN LATERAL (SELECT :key AS id) AS k
    WHERE EXISTS (
        SELECT
        FROM :"schema".:"table" t
        WHERE :key_is_k
          AND :is_chosen
          AND vestige_sql.has_text(:content)
          AND (t.:"embedding_column" IS NULL OR NOT :only_missing)
        -- asked of one row after another, up to the first that is pending
        OFFSET 0
    )
    ORDER BY :key_columns
    LIMIT 1
) AS k;
