-- Find the rows that each staged connection refers to and that are missing from PostgreSQL.
--
-- A row may be missing because it was reported before, for example. The staged connections that refer to it stay behind.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    schema

UPDATE pg_temp.copy_memory_connections s
SET problem = f.problem
FROM (
    SELECT r.place, concat_ws('; ',
        CASE
            WHEN NOT EXISTS (SELECT FROM :"schema".knowledge_nodes k WHERE k.id = vestige_sql.read_uuid(r.source_id))
            THEN vestige_sql.complaint('source_id', 'memory in PostgreSQL', r.source_id) END,
        CASE
            WHEN NOT EXISTS (SELECT FROM :"schema".knowledge_nodes k WHERE k.id = vestige_sql.read_uuid(r.target_id))
            THEN vestige_sql.complaint('target_id', 'memory in PostgreSQL', r.target_id) END) AS problem
    FROM pg_temp.copy_memory_connections r
    WHERE r.problem IS NULL
) AS f
WHERE f.place = s.place AND f.problem <> ''
RETURNING s.key, s.problem;
