-- List the tables that a pattern names, in the order of their names.
--
-- A pattern is the name of a table in which * stands for any characters, such as tenant_*.documents. Several are separated by
-- commas. As in SQL, a name in double quotes is meant as it is written there, * included, and others are folded to lower case.
-- Without a schema, tables along the role's own search_path are meant.
--
-- Only tables count, and of partitioned ones the parent. Where the pattern leaves the table's name open, only those with a
-- column of pgvector's count. The package's own tables and those of the system do not. A pattern that matches nothing has a
-- row without a name. name is as a command takes it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    target

WITH pieces AS (
    SELECT
        m.nr, m.found[1] AS quoted, m.found[2] AS plain,
        count(*) FILTER (WHERE m.found[2] = ',') OVER (ORDER BY m.nr) AS pattern,
        count(*) FILTER (WHERE m.found[2] = '.') OVER (ORDER BY m.nr) AS dots
    FROM regexp_matches(:'target'::text, '"((?:[^"]|"")*)"|(.)', 'g') WITH ORDINALITY AS m (found, nr)
),
placed AS (
    SELECT p.*, p.dots - min(p.dots) OVER (PARTITION BY p.pattern) AS part FROM pieces p
),
parts AS (
    -- A blank outside of quotes counts only where it is no margin, and then matches no name.
    SELECT
        p.pattern, p.part, bool_or(p.plain IS NOT DISTINCT FROM '*') AS is_open,
        btrim(string_agg(
            CASE
                WHEN p.plain = '*' THEN '%'
                WHEN p.plain ~ '^\s$' THEN chr(1)
                ELSE regexp_replace(coalesce(replace(p.quoted, '""', '"'), lower(p.plain)), '([\\%_])', '\\\1', 'g') END,
            '' ORDER BY p.nr), chr(1)) AS alike
    FROM placed p
    WHERE p.plain IS NULL OR p.plain NOT IN ('.', ',')
    GROUP BY p.pattern, p.part
),
patterns AS (
    SELECT
        w.pattern, w.written,
        max(p.alike) FILTER (WHERE p.part = 0 AND w.parts = 2) AS schema,
        max(p.alike) FILTER (WHERE p.part = w.parts - 1 AND w.parts <= 2) AS "table",
        bool_or(p.is_open) AS is_open,
        bool_or(p.is_open) FILTER (WHERE p.part = w.parts - 1) AS table_is_open
    FROM (
        SELECT p.pattern, max(p.part) + 1 AS parts, btrim(string_agg(coalesce('"' || p.quoted || '"', p.plain), '' ORDER BY p.nr)
            FILTER (WHERE p.plain IS DISTINCT FROM ',')) AS written
        FROM placed p
        GROUP BY p.pattern
    ) AS w
    JOIN parts p ON p.pattern = w.pattern
    GROUP BY w.pattern, w.written
),
role AS MATERIALIZED (
    SELECT
        pg_catalog.current_setting('search_path') AS was,
        pg_catalog.set_config('search_path', coalesce(
            nullif(pg_catalog.current_setting('vestige_sql.search_path', true), ''),
            pg_catalog.current_setting('search_path')), true) AS path
),
seen AS MATERIALIZED (
    -- Reading the path first sees to it that names are looked up only once it is set.
    SELECT min(r.was) AS was, array_agg(c.oid) AS oids
    FROM role r
    CROSS JOIN pg_catalog.pg_class c
    WHERE c.relkind IN ('r', 'p') AND pg_catalog.to_regclass(left(r.path, 0) || quote_ident(c.relname)) = c.oid
),
visible AS MATERIALIZED (
    SELECT s.oids, pg_catalog.set_config('search_path', s.was, true) AS path FROM seen s
),
tables AS (
    SELECT
        c.oid, n.nspname, c.relname, c.relispartition, c.oid = ANY (v.oids) AS is_visible,
        EXISTS (
            SELECT FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = a.atttypid
                AND d.refclassid = 'pg_catalog.pg_extension'::regclass
            JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND x.extname = 'vector'
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS has_vectors
    FROM visible v
    CROSS JOIN pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p')
      AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'vestige_sql')
),
matched AS (
    SELECT p.pattern, p.written, t.oid, format('%I.%I', t.nspname, t.relname) AS name
    FROM patterns p
    JOIN tables t ON t.relname LIKE p."table"
        AND CASE WHEN p.schema IS NULL THEN t.is_visible ELSE t.nspname LIKE p.schema END
        AND (t.has_vectors OR NOT p.table_is_open)
        AND (NOT t.relispartition OR NOT p.is_open)
)
SELECT min(m.written) AS pattern, m.name COLLATE "C" AS name
FROM matched m
GROUP BY m.oid, m.name
UNION ALL
SELECT p.written, NULL
FROM patterns p
WHERE NOT EXISTS (SELECT FROM matched m WHERE m.pattern = p.pattern)
ORDER BY 2, 1;
