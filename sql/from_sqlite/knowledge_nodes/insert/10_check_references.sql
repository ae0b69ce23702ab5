-- What each staged memory refers to and is not in PostgreSQL, such as a row that was reported before. Such rows stay behind.
--
-- Locks:        none on the target, ACCESS SHARE on users
-- Transaction:  either
-- Run again:    safe, finds the same
-- Undo:         nothing to undo
-- Variables:    schema

UPDATE pg_temp.copy_knowledge_nodes s
SET problem = vestige_sql.complaint('owner_user_id', 'user in PostgreSQL', s.owner_user_id)
WHERE s.problem IS NULL
  AND s.owner_user_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM :"schema".users u WHERE u.id = vestige_sql.read_uuid(s.owner_user_id))
RETURNING s.key, s.problem;
