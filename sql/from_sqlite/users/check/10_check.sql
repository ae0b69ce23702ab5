-- Find what is wrong with each staged user, taken by itself.
--
-- Rows with a problem stay behind and are reported.
--
-- Locks:        none on the target, ACCESS SHARE on users
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    schema

UPDATE pg_temp.copy_users s
SET problem = f.problem
FROM (
    SELECT r.place, coalesce(r.problem, concat_ws('; ',
        CASE WHEN vestige_sql.read_uuid(r.id) IS NULL THEN vestige_sql.complaint('id', 'UUID', r.id) END,
        CASE WHEN r.handle IS NULL THEN 'handle is NULL' END,
        CASE
            WHEN EXISTS (
                SELECT FROM :"schema".users t
                WHERE t.handle = r.handle AND t.id IS DISTINCT FROM vestige_sql.read_uuid(r.id))
            THEN pg_catalog.format('handle %L is that of another user in PostgreSQL', r.handle) END,
        CASE
            WHEN EXISTS (SELECT FROM pg_temp.copy_users o WHERE o.handle = r.handle AND o.place < r.place)
            THEN pg_catalog.format('handle %L is that of another row', r.handle) END,
        CASE
            WHEN r.created_at IS NOT NULL AND vestige_sql.read_timestamp(r.created_at) IS NULL
            THEN vestige_sql.complaint('created_at', 'timestamp', r.created_at) END,
        CASE
            WHEN r.metadata IS NOT NULL AND vestige_sql.read_json(r.metadata) IS NULL
            THEN vestige_sql.complaint('metadata', 'JSON', r.metadata) END)) AS problem
    FROM pg_temp.copy_users r
) AS f
WHERE f.place = s.place AND f.problem <> ''
RETURNING s.key, s.problem;
