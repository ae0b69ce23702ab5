-- Show the schema and the name of the target table.
--
-- There is one row, or none where there is no such table. The name is read as SQL reads a qualified name. Without quotes it is
-- folded to lower case. Without a schema it is looked for along the role's own search_path.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    target

WITH role AS MATERIALIZED (
    SELECT
        pg_catalog.current_setting('search_path') AS was,
        pg_catalog.set_config('search_path', coalesce(
            nullif(pg_catalog.current_setting('vestige_sql.search_path', true), ''),
            pg_catalog.current_setting('search_path')), true) AS path
),
named AS MATERIALIZED (
    SELECT pg_catalog.to_regclass(:'target') AS oid, r.was FROM role r
),
found AS MATERIALIZED (
    SELECT n.oid, pg_catalog.set_config('search_path', n.was, true) AS path FROM named n
)
SELECT n.nspname AS schema, c.relname AS "table"
FROM found f
JOIN pg_catalog.pg_class c ON c.oid = f.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace;
