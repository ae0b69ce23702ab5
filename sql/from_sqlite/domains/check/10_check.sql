-- Find what is wrong with each staged domain, taken by itself.
--
-- Rows with a problem stay behind and are reported.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    none

UPDATE pg_temp.copy_domains s
SET problem = f.problem
FROM (
    SELECT r.place, coalesce(r.problem, concat_ws('; ',
        CASE WHEN r.id IS NULL THEN 'id is NULL' END,
        CASE WHEN r.label IS NULL THEN 'label is NULL' END,
        CASE
            WHEN r.top_terms IS NOT NULL AND vestige_sql.read_texts(r.top_terms) IS NULL
            THEN vestige_sql.complaint('top_terms', 'JSON array of strings', r.top_terms) END,
        CASE
            WHEN r.memory_count IS NOT NULL AND vestige_sql.read_integer(r.memory_count) IS NULL
            THEN vestige_sql.complaint('memory_count', 'whole number', r.memory_count) END,
        CASE
            WHEN r.created_at IS NOT NULL AND vestige_sql.read_timestamp(r.created_at) IS NULL
            THEN vestige_sql.complaint('created_at', 'timestamp', r.created_at) END,
        CASE
            WHEN r.metadata IS NOT NULL AND vestige_sql.read_json(r.metadata) IS NULL
            THEN vestige_sql.complaint('metadata', 'JSON', r.metadata) END)) AS problem
    FROM pg_temp.copy_domains r
) AS f
WHERE f.place = s.place AND f.problem <> ''
RETURNING s.key, s.problem;
