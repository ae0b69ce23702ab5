-- Set the index scan so that the searches of this transaction find enough, where the server has the settings.
--
-- An HNSW scan brings at most hnsw.ef_search rows, which can be at most 1,000, and filters only afterwards. From pgvector
-- 0.8 on, it can go on until enough rows pass (relaxed_order; the searches sort what it brings once more). On an older
-- pgvector, a filtered search gets the longest list. Neither is a promise. The searches look without the index for what it
-- does not bring. JIT would compile that plan at length, and the plan seldom runs, so JIT is off.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same values
-- Undo:         ends with the transaction
-- Variables:    limit, filtered, vector_schema

SELECT
    s.name,
    s.setting AS was,
    pg_catalog.set_config(s.name, CASE s.name
        WHEN 'hnsw.iterative_scan' THEN 'relaxed_order'
        WHEN 'jit' THEN 'off'
        ELSE least(1000, greatest(s.setting::integer, 3 * :limit, CASE
            WHEN :filtered AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_settings i WHERE i.name = 'hnsw.iterative_scan') THEN 1000 END))::text
        END, true) AS value
FROM pg_catalog.pg_settings s
WHERE s.name IN ('hnsw.ef_search', 'hnsw.iterative_scan', 'jit')
  -- reading a vector loads pgvector; a session does not know pgvector's settings before that
  AND CAST('[1]' AS :"vector_schema".vector) IS NOT NULL;
