-- Find one vector on different texts, and different vectors on one text, in a sample of the table's pages.
--
-- Texts count as different here if their first 2,000 characters are, whatever the case and the spaces: many models see no more, and
-- make one vector of the rest. They count as one text if all of it is. A sample finds only pairs whose rows are both in it.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    key_expression, embedding_column, vector_schema, content, schema, table, sample_percent

WITH sample AS MATERIALIZED (
    SELECT
        :key_expression AS key,
        t.:"embedding_column" AS embedding,
        -- vectors of different dimensions cannot be compared in every version of pgvector, and arrays can
        t.:"embedding_column"::real[] AS elements,
        :"vector_schema".vector_dims(t.:"embedding_column") AS dimension,
        hashtextextended(lower(regexp_replace(left(:content, 2000), '\s+', ' ', 'g')), 0) AS beginning,
        hashtextextended(left(:content, 2000), 0) AS exact_beginning,
        octet_length(:content) AS bytes
    FROM :"schema".:"table" t TABLESAMPLE SYSTEM (:sample_percent) REPEATABLE (0)
    -- a zero vector is another finding
    WHERE :content IS NOT NULL AND (t.:"embedding_column" OPERATOR(:"vector_schema".<#>) t.:"embedding_column") <> 0
),
names AS (
    SELECT count(*) AS sampled, format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS "column" FROM sample
),
of_one_vector AS (
    SELECT count(*) AS rows, count(DISTINCT s.beginning) AS texts, (array_agg(s.key ORDER BY s.key))[1 : 2] AS keys
    FROM sample s
    GROUP BY s.elements
    HAVING count(DISTINCT s.beginning) > 1
),
of_one_text AS (
    SELECT s.key, s.embedding, s.dimension,
        first_value(s.key) OVER w AS first_key, first_value(s.embedding) OVER w AS first_embedding,
        first_value(s.dimension) OVER w AS first_dimension
    FROM sample s
    -- a window of one row costs a sort and no distance
    WINDOW w AS (PARTITION BY s.exact_beginning, s.bytes ORDER BY s.key)
),
differing AS (
    SELECT o.key, o.first_key
    FROM of_one_text o
    WHERE o.key <> o.first_key
      AND CASE WHEN o.dimension <> o.first_dimension THEN true
          ELSE (o.embedding OPERATOR(:"vector_schema".<=>) o.first_embedding) BETWEEN 0.01 AND 3 END
)
SELECT
    'duplicate_vector' AS code,
    CASE WHEN sum(v.rows) >= 0.01 * max(n.sampled) THEN 'warning' ELSE 'note' END AS severity,
    n."column" AS object,
    format('%s of %s vectors of %s stand on more than one text (such as %s)', ltrim(to_char(sum(v.rows), '999,999,999')),
        ltrim(to_char(max(n.sampled), '999,999,999')), n."column", array_to_string((array_agg(v.keys ORDER BY v.rows DESC, v.keys))[1 : 1], '; ')) AS what,
    'A model gives different texts different vectors. These may be a default, or copied from another row.' AS why,
    'compare the texts of these rows; vestige-sql migrate reembed --model MODEL --dimension N embeds every row anew' AS "do"
FROM of_one_vector v
CROSS JOIN names n
GROUP BY n."column"
UNION ALL
SELECT
    'differing_vectors', 'warning', n."column",
    format('%s rows of %s have the text of another row, and another vector (such as %s)', ltrim(to_char(count(*), '999,999,999')), n."column",
        (SELECT d.first_key || '; ' || d.key FROM differing d ORDER BY d.first_key, d.key LIMIT 1)),
    'One model makes one vector of one text. So one of the two is of another model or of a former text, unless vectors are made of more than this column.',
    'vestige-sql migrate reembed --model MODEL --dimension N embeds every row anew'
FROM differing
CROSS JOIN names n
GROUP BY n."column"
ORDER BY 1;
