-- Find what is wrong with each staged connection, taken by itself.
--
-- Rows with a problem stay behind and are reported.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    none

UPDATE pg_temp.copy_memory_connections s
SET problem = f.problem
FROM (
    SELECT r.place, coalesce(r.problem, concat_ws('; ',
        CASE WHEN vestige_sql.read_uuid(r.source_id) IS NULL THEN vestige_sql.complaint('source_id', 'UUID', r.source_id) END,
        CASE WHEN vestige_sql.read_uuid(r.target_id) IS NULL THEN vestige_sql.complaint('target_id', 'UUID', r.target_id) END,
        CASE
            WHEN r.strength IS NOT NULL AND vestige_sql.read_number(r.strength) IS NULL
            THEN vestige_sql.complaint('strength', 'number', r.strength) END,
        CASE
            WHEN r.created_at IS NOT NULL AND vestige_sql.read_timestamp(r.created_at) IS NULL
            THEN vestige_sql.complaint('created_at', 'timestamp', r.created_at) END)) AS problem
    FROM pg_temp.copy_memory_connections r
) AS f
WHERE f.place = s.place AND f.problem <> ''
RETURNING s.key, s.problem;
