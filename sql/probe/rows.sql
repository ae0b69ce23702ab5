-- Count the rows, those that have text, and those that have text and no vector.
--
-- It reads the whole table.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    content, embedding_column, schema, table, is_chosen

SELECT
    count(*) AS rows_total,
    count(*) FILTER (WHERE r.has_text) AS rows_with_text,
    count(*) FILTER (WHERE r.has_text AND r.embedding_is_null) AS rows_missing
FROM (
    SELECT
        -- This is what vestige_sql.has_text() says; that function may not be there yet.
        :content IS NOT NULL AND (
            -- Most texts begin with a printing ASCII character, which tells at once that they are not blank.
            :content ~>=~ '!' AND :content ~<~ E'\x7f'
            OR octet_length(pg_catalog.btrim(
                :content,
                E' \t\n\u000b\f\r\u001c\u001d\u001e\u001f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
            )) > 0
        ) AS has_text,
        t.:"embedding_column" IS NULL AS embedding_is_null
    FROM :"schema".:"table" t
    WHERE :is_chosen
) AS r;
