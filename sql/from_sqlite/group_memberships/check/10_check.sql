-- Find what is wrong with each staged membership, taken by itself.
--
-- Rows with a problem stay behind and are reported.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    none

UPDATE pg_temp.copy_group_memberships s
SET problem = f.problem
FROM (
    SELECT r.place, coalesce(r.problem, concat_ws('; ',
        CASE WHEN vestige_sql.read_uuid(r.user_id) IS NULL THEN vestige_sql.complaint('user_id', 'UUID', r.user_id) END,
        CASE WHEN vestige_sql.read_uuid(r.group_id) IS NULL THEN vestige_sql.complaint('group_id', 'UUID', r.group_id) END,
        CASE WHEN r.role NOT IN ('member', 'admin') THEN vestige_sql.complaint('role', 'member or admin', r.role) END,
        CASE
            WHEN r.joined_at IS NOT NULL AND vestige_sql.read_timestamp(r.joined_at) IS NULL
            THEN vestige_sql.complaint('joined_at', 'timestamp', r.joined_at) END)) AS problem
    FROM pg_temp.copy_group_memberships r
) AS f
WHERE f.place = s.place AND f.problem <> ''
RETURNING s.key, s.problem;
