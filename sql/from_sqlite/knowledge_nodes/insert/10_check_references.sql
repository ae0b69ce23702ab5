-- Find the rows that each staged memory refers to and that are missing from PostgreSQL.
--
-- A row may be missing because it was reported before, for example. The staged memories that refer to it stay behind.
--
-- Locks:        none on the target, ACCESS SHARE on users
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    schema

UPDATE pg_temp.copy_knowledge_nodes s
SET problem = vestige_sql.complaint('owner_user_id', 'user in PostgreSQL', s.owner_user_id)
WHERE s.problem IS NULL
  AND s.owner_user_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM :"schema".users u WHERE u.id = vestige_sql.read_uuid(s.owner_user_id))
RETURNING s.key, s.problem;
