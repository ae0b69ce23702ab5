-- List what a copy needs and this database lacks: Vestige's tables beside the target, and the package's functions.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema

SELECT pg_catalog.format('table %I.%I', :'schema'::text, t.name) AS missing
FROM pg_catalog.unnest(ARRAY[
    'users', 'groups', 'group_memberships', 'domains', 'scheduling', 'edges', 'review_events']) AS t (name)
WHERE pg_catalog.to_regclass(pg_catalog.format('%I.%I', :'schema'::text, t.name)) IS NULL
UNION ALL
SELECT 'function vestige_sql.read_json'
WHERE pg_catalog.to_regproc('vestige_sql.read_json') IS NULL;
