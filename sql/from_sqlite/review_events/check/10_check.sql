-- Find what is wrong with each staged review, taken by itself.
--
-- Rows with a problem stay behind and are reported.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    none

UPDATE pg_temp.copy_review_events s
SET problem = f.problem
FROM (
    SELECT r.place, coalesce(r.problem, concat_ws('; ',
        CASE WHEN vestige_sql.read_uuid(r.memory_id) IS NULL THEN vestige_sql.complaint('memory_id', 'UUID', r.memory_id) END,
        CASE
            WHEN vestige_sql.read_timestamp(r.timestamp) IS NULL
            THEN vestige_sql.complaint('timestamp', 'timestamp', r.timestamp) END,
        CASE
            WHEN vestige_sql.read_integer(r.rating) BETWEEN -32768 AND 32767 IS NOT TRUE
            THEN vestige_sql.complaint('rating', 'whole number', r.rating) END,
        CASE
            WHEN r.prior_state IS NOT NULL AND vestige_sql.read_json(r.prior_state) IS NULL
            THEN vestige_sql.complaint('prior_state', 'JSON', r.prior_state) END,
        CASE
            WHEN r.new_state IS NOT NULL AND vestige_sql.read_json(r.new_state) IS NULL
            THEN vestige_sql.complaint('new_state', 'JSON', r.new_state) END)) AS problem
    FROM pg_temp.copy_review_events r
) AS f
WHERE f.place = s.place AND f.problem <> ''
RETURNING s.key, s.problem;
