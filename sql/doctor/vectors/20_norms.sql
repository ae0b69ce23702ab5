-- Find vectors that a search never finds or ranks wrongly, by their length: zero, without a distance, not normalised. In a sample.
--
-- The length is that of pgvector's own arithmetic: what overflows or vanishes there does so in a search. Lengths other than one
-- matter where an index ranks by inner product, and only there. Where most are one and some are not, the vectors may be of two
-- models, or some were shortened.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, key_expression, vector_schema, sample_percent

WITH target AS (
    SELECT a.attrelid, format('%I.%I.%I', :'schema'::text, :'table'::text, a.attname) AS "column",
        bool_or(o.opcname LIKE '%\_ip\_ops') AS ranks_by_product,
        -- searches without an index mostly ask for the cosine, too
        coalesce(bool_or(o.opcname LIKE '%\_cosine\_ops'), true) AS ranks_by_cosine
    FROM pg_catalog.pg_attribute a
    LEFT JOIN (
        SELECT d.refobjid, d.refobjsubid, oc.opcname
        FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_index i ON i.indexrelid = d.objid
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname IN ('hnsw', 'ivfflat')
        JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[0]
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
    ) AS o ON o.refobjid = a.attrelid AND o.refobjsubid = a.attnum
    WHERE a.attrelid = format('%I.%I', :'schema'::text, :'table'::text)::regclass
      AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    GROUP BY a.attrelid, a.attname
),
sample AS MATERIALIZED (
    SELECT
        :key_expression AS key,
        -(t.:"embedding_column" OPERATOR(:"vector_schema".<#>) t.:"embedding_column") AS square,
        t.:"embedding_column" OPERATOR(:"vector_schema".<=>) t.:"embedding_column" AS cosine
    FROM :"schema".:"table" t TABLESAMPLE SYSTEM (:sample_percent) REPEATABLE (0)
    WHERE t.:"embedding_column" IS NOT NULL
),
kinds AS (
    SELECT s.key, CASE
        WHEN s.square = 0 THEN 'zero'
        WHEN s.square = 'Infinity' OR s.square = 'NaN' OR s.cosine = 'NaN' THEN 'endless'
        WHEN abs(sqrt(s.square) - 1) > 0.01 THEN 'other'
        ELSE 'one' END AS kind
    FROM sample s
),
found AS (
    SELECT
        k.kind, count(*) AS rows, count(*)::numeric / sum(count(*)) OVER () AS share,
        ltrim(to_char(count(*), '999,999,999')) || ' of ' || ltrim(to_char(sum(count(*)) OVER (), '999,999,999')) || ' vectors' AS how_many,
        array_to_string((array_agg(k.key ORDER BY k.key))[1 : 3], '; ') AS keys
    FROM kinds k
    GROUP BY k.kind
)
SELECT
    'zero_vector' AS code,
    CASE WHEN x.ranks_by_cosine THEN 'error' ELSE 'warning' END AS severity,
    x."column" AS object,
    format('%s of %s are zero (such as %s)', f.how_many, x."column", f.keys) AS what,
    'A zero vector has no direction. An index by cosine leaves it out, so no search finds its row; elsewhere it ranks by chance.' AS why,
    format('UPDATE %s SET %I = NULL WHERE .. for these rows, then vestige-sql migrate reembed with the registered model embeds them',
        x.attrelid::regclass, :'embedding_column'::text) AS "do"
FROM found f
CROSS JOIN target x
WHERE f.kind = 'zero'
UNION ALL
SELECT
    'nan_distance', 'error', x."column",
    format('%s of %s are so long that their distances are infinite or no numbers (such as %s)', f.how_many, x."column", f.keys),
    'pgvector counts in single precision, which they overflow. They rank last or anywhere, and an index may not find them.',
    format('UPDATE %s SET %I = NULL WHERE .. for these rows, then vestige-sql migrate reembed with the registered model embeds them',
        x.attrelid::regclass, :'embedding_column'::text)
FROM found f
CROSS JOIN target x
WHERE f.kind = 'endless'
UNION ALL
SELECT
    'unnormalised_vector', 'warning', x."column",
    format('%s of %s are not of length one (such as %s), and an index ranks by inner product', f.how_many, x."column", f.keys),
    'An inner product ranks a longer vector first, whatever it says. Models are mostly trained for vectors of length one.',
    'take an index by cosine (vector_cosine_ops, <=> in queries), or vectors of length one: vestige-sql migrate reembed normalises them as the model says'
FROM found f
CROSS JOIN target x
WHERE f.kind = 'other' AND x.ranks_by_product
UNION ALL
SELECT
    'mixed_lengths', 'note', x."column",
    format('%s of %s are not of length one, and the others are (such as %s)', f.how_many, x."column", f.keys),
    'One model mostly makes all of its vectors alike, so they may be of two models, or some were shortened and not normalised again.',
    'find out what wrote these rows; vestige-sql migrate reembed --model MODEL --dimension N brings every row to one model'
FROM found f
CROSS JOIN target x
WHERE f.kind = 'other' AND f.share < 0.5 AND EXISTS (SELECT FROM found o WHERE o.kind = 'one' AND o.share > 0.25)
ORDER BY 1;
