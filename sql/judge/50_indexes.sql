-- Show the valid HNSW and IVFFlat indexes on the live column, and on the second column of an online run.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    embedding_column, new_column, oid

SELECT c.oid::bigint AS oid, c.relname AS name, am.amname AS method, CASE a.attname WHEN :'embedding_column' THEN 'old' ELSE 'new' END AS space,
    CASE am.amname WHEN 'hnsw' THEN 'hnsw.ef_search' ELSE 'ivfflat.probes' END AS setting,
    coalesce(current_setting(CASE am.amname WHEN 'hnsw' THEN 'hnsw.ef_search' ELSE 'ivfflat.probes' END, true)::integer,
        CASE am.amname WHEN 'hnsw' THEN 40 ELSE 1 END) AS value
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname IN ('hnsw', 'ivfflat')
CROSS JOIN LATERAL (
    SELECT DISTINCT a.attname
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
      AND a.attname IN (:'embedding_column', :'new_column')
) AS a
WHERE i.indrelid = :oid::oid AND i.indisvalid AND i.indpred IS NULL
  -- the whole vector is searched for, not its bits or a part of it
  AND EXISTS (
      SELECT FROM pg_catalog.pg_attribute k
      JOIN pg_catalog.pg_type t ON t.oid = k.atttypid AND t.typname IN ('vector', 'halfvec')
      WHERE k.attrelid = i.indexrelid AND k.attnum = 1)
ORDER BY space, c.relname;
