-- Find the rows that each staged review refers to and that are missing from PostgreSQL.
--
-- A row may be missing because it was reported before, for example. The staged reviews that refer to it stay behind.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    schema

UPDATE pg_temp.copy_review_events s
SET problem = vestige_sql.complaint('memory_id', 'memory in PostgreSQL', s.memory_id)
WHERE s.problem IS NULL
  AND NOT EXISTS (SELECT FROM :"schema".knowledge_nodes k WHERE k.id = vestige_sql.read_uuid(s.memory_id))
RETURNING s.key, s.problem;
