-- Find rows with text and no vector, and rows with a vector and no text, in a sample of the table's pages.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    key_expression, embedding_column, content, schema, table, sample_percent

WITH sample AS MATERIALIZED (
    SELECT
        :key_expression AS key,
        t.:"embedding_column" IS NOT NULL AS has_vector,
        -- This is what vestige_sql.has_text() says; that function may not be there yet. The first characters mostly tell.
        :content IS NOT NULL AND (
            left(:content, 1) ~>=~ '!' AND left(:content, 1) ~<~ E'\x7f'
            OR octet_length(btrim(
                :content,
                E' \t\n\u000b\f\r\u001c\u001d\u001e\u001f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
            )) > 0
        ) AS has_text
    FROM :"schema".:"table" t TABLESAMPLE SYSTEM (:sample_percent) REPEATABLE (0)
),
kinds AS (
    SELECT
        s.has_text, s.has_vector,
        ltrim(to_char(count(*), '999,999,999')) || ' of ' || ltrim(to_char(sum(count(*)) OVER (), '999,999,999')) || ' rows' AS how_many,
        array_to_string((array_agg(s.key ORDER BY s.key))[1 : 3], '; ') AS keys,
        format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS "column",
        format('%I.%I', :'schema'::text, :'table'::text) AS table_name
    FROM sample s
    GROUP BY s.has_text, s.has_vector
)
SELECT
    'missing_vector' AS code, 'warning' AS severity, k."column" AS object,
    format('%s of %s have text and no vector (such as %s)', k.how_many, k.table_name, k.keys) AS what,
    'No search by vectors finds them.' AS why,
    'vestige-sql migrate reembed with the registered model embeds these rows alone' AS "do"
FROM kinds k
WHERE k.has_text AND NOT k.has_vector
UNION ALL
SELECT
    'vector_without_text', 'warning', k."column",
    format('%s of %s have a vector and no text (such as %s)', k.how_many, k.table_name, k.keys),
    'Nobody can tell what the vector was made from. A re-embedding leaves it NULL.',
    format('give the rows their text, or UPDATE %s SET %I = NULL WHERE .. for them', k.table_name, :'embedding_column'::text)
FROM kinds k
WHERE NOT k.has_text AND k.has_vector
UNION ALL
SELECT
    'missing_text', 'note', k."column",
    format('%s of %s have neither text nor vector (such as %s)', k.how_many, k.table_name, k.keys),
    'There is nothing to embed in them.',
    'nothing, if that is as it should be'
FROM kinds k
WHERE NOT k.has_text AND NOT k.has_vector
ORDER BY 1;
