-- Let the searches of this transaction find enough: settings of the index scan, where the server has them.
--
-- An HNSW scan brings hnsw.ef_search rows at most, 1,000 being the most that it takes, and filters only afterwards. From
-- pgvector 0.8 on it can go on until enough pass (relaxed_order; the searches sort what it brings once more). An older
-- one gets the longest list for a filtered search. Neither is a promise: what the index does not bring, the searches
-- look for without it, so JIT is off, which would compile that plan at length and seldom run it.
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
  -- reading a vector loads pgvector, without which a session does not know its settings
  AND CAST('[1]' AS :"vector_schema".vector) IS NOT NULL;
