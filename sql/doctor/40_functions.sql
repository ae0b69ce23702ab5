-- Find the functions and views that say a dimension of vectors, and the functions of the table's row type.
--
-- A function's text is not known to the server before it runs, so nothing else finds these. A function counts if it names the
-- table, or takes or returns its rows. Those of extensions, of PostgreSQL and of the package are left out. A dimension is what stands
-- in vector(..) or halfvec(..).
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    embedding_column, oid

WITH target AS (
    SELECT
        c.oid, c.relname, c.reltype, ty.typarray, format('%I.%I', n.nspname, c.relname) AS name,
        format('%I.%I.%I', n.nspname, c.relname, a.attname) AS "column", nullif(a.atttypmod, -1) AS dimension,
        -- the name as a word of its own, whatever characters it has
        '(?:^|[^[:alnum:]_])' || regexp_replace(c.relname, '([\[\].*+?{}()|^$\\])', '\\\1', 'g') || '(?![[:alnum:]_])' AS as_a_word
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_type ty ON ty.oid = c.reltype
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    WHERE c.oid = :oid::oid
),
functions AS (
    SELECT
        p.oid, format('function %s', p.oid::regprocedure) AS name,
        t."column", t.dimension, t.name AS table_name,
        CASE WHEN p.prokind IN ('f', 'p') AND l.lanname IN ('sql', 'plpgsql', 'plpython3u', 'plperl', 'plperlu', 'plv8')
            THEN pg_get_functiondef(p.oid) ELSE '' END AS body,
        p.prorettype IN (t.reltype, t.typarray) OR t.reltype = ANY (p.proargtypes::oid[]) OR t.typarray = ANY (p.proargtypes::oid[])
            OR coalesce(t.reltype = ANY (p.proallargtypes), false) AS has_rows,
        t.as_a_word
    FROM target t
    CROSS JOIN pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'vestige_sql')
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
),
views AS (
    SELECT DISTINCT v.oid, format('%s %I.%I', CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, n.nspname, v.relname) AS name,
        t."column", t.dimension, t.name AS table_name, pg_get_viewdef(v.oid) AS body
    FROM target t
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
        AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
    JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
),
say AS (
    SELECT o.oid, o.name, o.is_view, o."column", o.dimension, array_agg(DISTINCT (m.found)[1]::bigint ORDER BY (m.found)[1]::bigint) AS said
    FROM (
        SELECT f.oid, f.name, false AS is_view, f."column", f.dimension, f.body FROM functions f WHERE f.body ~ f.as_a_word OR f.has_rows
        UNION ALL
        SELECT v.oid, v.name, true, v."column", v.dimension, v.body FROM views v
    ) AS o
    CROSS JOIN LATERAL regexp_matches(o.body, '\m(?:vector|halfvec)"?\s*\(\s*(\d{1,6})\s*\)', 'gi') AS m (found)
    GROUP BY o.oid, o.name, o.is_view, o."column", o.dimension
)
SELECT
    'says_other_dimension' AS code, 'warning' AS severity, s.name AS object,
    format('%s says %s dimensions, and %s has %s', s.name, array_to_string(s.said, ' and '), s."column", s.dimension) AS what,
    'pgvector refuses to compare vectors of different dimensions, so it fails when it compares these.' AS why,
    format('give it %s dimensions, or none: pg_get_functiondef() prints what it is', s.dimension) AS "do"
FROM say s
WHERE NOT s.dimension = ANY (s.said)
  -- the server has checked a view when it was made
  AND NOT s.is_view
UNION ALL
SELECT
    'says_dimension', 'note', s.name,
    format('%s says %s dimensions, as %s has', s.name, s.dimension, s."column"),
    'A model of another dimension leaves it behind: it fails when it is called next.',
    'leave the dimension out, which a comparison does not need, or replace it together with the model'
FROM say s
WHERE s.dimension = ANY (s.said)
UNION ALL
SELECT
    'row_type', 'note', f.name,
    format('%s takes or returns rows of %s', f.name, f.table_name),
    'While an online run is under way, the table has one column more. What lists the columns of such a row then fails.',
    'have it return SELECT *, or TABLE (..) with the columns that callers need, before an online run; an offline run adds no column'
FROM functions f
WHERE f.has_rows
ORDER BY 1, 3;
