-- List the tables that have a column of pgvector's, with what tells them apart.
--
-- The package's own tables, those of the system and of other sessions do not count. estimated_rows is the planner's, NULL
-- where the table was never analyzed. quoted is the name as a command takes it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT
    n.nspname AS schema,
    c.relname AS "table",
    format('%I.%I', n.nspname, c.relname) AS quoted,
    nullif(greatest(c.reltuples, -1), -1)::bigint AS estimated_rows,
    pg_catalog.pg_total_relation_size(c.oid) AS bytes,
    v.columns AS vector_columns,
    pg_catalog.pg_has_role(c.relowner, 'USAGE') AS is_owner
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT string_agg(
        format('%s %s', a.attname, t.typname || coalesce('(' || nullif(a.atttypmod, -1) || ')', '')), ', ' ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = a.atttypid
        AND d.refclassid = 'pg_catalog.pg_extension'::regclass
    JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND x.extname = 'vector'
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND t.typname IN ('vector', 'halfvec')
) AS v (columns)
WHERE c.relkind IN ('r', 'p')
  AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'vestige_sql')
  AND c.relpersistence <> 't'
  AND v.columns IS NOT NULL
ORDER BY n.nspname, c.relname;
