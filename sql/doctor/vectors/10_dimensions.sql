-- Find vectors of several dimensions in the column, in a sample of its pages.
--
-- Nothing is read where the column has a dimension, for the server has checked every row then. A column whose every dimension has a
-- valid index of its own is meant to be so, and a warning. Three keys are named of each dimension but the most frequent one.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, vector_schema, key_expression, sample_percent

WITH target AS (
    SELECT a.attrelid, a.attnum, a.atttypmod = -1 AS says_none,
        format('%I.%I.%I', :'schema'::text, :'table'::text, a.attname) AS "column"
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = format('%I.%I', :'schema'::text, :'table'::text)::regclass
      AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
),
found AS (
    SELECT s.dimension, count(*) AS rows, (array_agg(s.key ORDER BY s.key))[1 : 3] AS keys,
        row_number() OVER (ORDER BY count(*) DESC, s.dimension) AS place
    FROM (
        SELECT :"vector_schema".vector_dims(t.:"embedding_column") AS dimension, :key_expression AS key
        FROM :"schema".:"table" t TABLESAMPLE SYSTEM (:sample_percent) REPEATABLE (0)
        WHERE t.:"embedding_column" IS NOT NULL AND (SELECT x.says_none FROM target x)
    ) AS s
    GROUP BY s.dimension
)
SELECT
    'mixed_dimensions' AS code,
    CASE WHEN bool_and(EXISTS (
            SELECT FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname IN ('hnsw', 'ivfflat')
            JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indexrelid AND k.attnum = 1 AND k.atttypmod = f.dimension
            WHERE i.indrelid = x.attrelid AND i.indisvalid))
        THEN 'warning' ELSE 'error' END AS severity,
    x."column" AS object,
    format('%s has vectors of %s dimensions: %s', x."column", count(*), string_agg(format('%s in %s rows%s', f.dimension,
        ltrim(to_char(f.rows, '999,999,999')), CASE WHEN f.place > 1 THEN format(' (such as %s)', array_to_string(f.keys, '; ')) ELSE '' END),
        ', ' ORDER BY f.place)) AS what,
    'They are of several models. pgvector refuses to compare them, so a search fails or misses rows, and the column cannot be indexed as a whole.' AS why,
    'vestige-sql migrate reembed --model MODEL --dimension N brings every row to one model and the column to its dimension' AS "do"
FROM found f
CROSS JOIN target x
GROUP BY x."column", x.attrelid
HAVING count(*) > 1;
