-- Find the rows that each staged membership refers to and that are missing from PostgreSQL.
--
-- A row may be missing because it was reported before, for example. The staged memberships that refer to it stay behind.
--
-- Locks:        none on the target, ACCESS SHARE on users, ACCESS SHARE on groups
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    schema

UPDATE pg_temp.copy_group_memberships s
SET problem = f.problem
FROM (
    SELECT r.place, concat_ws('; ',
        CASE
            WHEN NOT EXISTS (SELECT FROM :"schema".users u WHERE u.id = vestige_sql.read_uuid(r.user_id))
            THEN vestige_sql.complaint('user_id', 'user in PostgreSQL', r.user_id) END,
        CASE
            WHEN NOT EXISTS (SELECT FROM :"schema".groups g WHERE g.id = vestige_sql.read_uuid(r.group_id))
            THEN vestige_sql.complaint('group_id', 'group in PostgreSQL', r.group_id) END) AS problem
    FROM pg_temp.copy_group_memberships r
    WHERE r.problem IS NULL
) AS f
WHERE f.place = s.place AND f.problem <> ''
RETURNING s.key, s.problem;
