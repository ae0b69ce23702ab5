-- What each staged review refers to and is not in PostgreSQL, such as a row that was reported before. Such rows stay behind.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, finds the same
-- Undo:         nothing to undo
-- Variables:    schema

UPDATE pg_temp.copy_review_events s
SET problem = vestige_sql.complaint('memory_id', 'memory in PostgreSQL', s.memory_id)
WHERE s.problem IS NULL
  AND NOT EXISTS (SELECT FROM :"schema".knowledge_nodes k WHERE k.id = vestige_sql.read_uuid(s.memory_id))
RETURNING s.key, s.problem;
