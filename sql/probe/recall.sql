-- Measure the recall@10 of each vector index on a column, against exact search on a sample of its rows.
--
-- The session's ef_search, probes or the like apply. Each row of the sample takes one scan of the table.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, id_columns, id_column, recall_sample, oid, index_column

SELECT coalesce(s.index_name, c.relname) AS name, c.relname AS built_as, r.recall, r.sampled,
    m.setting, pg_catalog.current_setting(m.setting, true) AS search_setting, m.method
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am am ON am.oid = c.relam
JOIN pg_catalog.pg_proc h ON h.oid = am.amhandler
CROSS JOIN LATERAL (
    -- pgvector's own are known by what handles them, and the others by their name
    SELECT k.method, k.setting
    FROM (VALUES
        (1, 'hnswhandler', 'hnsw', 'hnsw.ef_search'),
        (2, 'ivfflathandler', 'ivfflat', 'ivfflat.probes'),
        (3, NULL, 'diskann', 'diskann.query_rescore'),
        (4, NULL, 'vchordrq', 'vchordrq.probes'),
        (5, NULL, am.amname, NULL)
    ) AS k (place, handler, method, setting)
    WHERE k.handler = h.proname OR k.handler IS NULL AND k.method = am.amname
    ORDER BY k.place
    LIMIT 1
) AS m
LEFT JOIN vestige_sql.saved_index s ON s.table_schema = :'schema' AND s.table_name = :'table' AND s.built_as = c.relname
    AND s.index_schema = (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace)
CROSS JOIN LATERAL vestige_sql.index_recall(
    i.indexrelid, CASE cardinality(:'id_columns'::text[]) WHEN 1 THEN :'id_column' END, :recall_sample) AS r
WHERE i.indrelid IN (SELECT p.relation FROM vestige_sql.with_partitions(:oid::oid::regclass) p)
  -- a partitioned index is searched as one
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid)
  AND i.indisvalid
  AND vestige_sql.is_vector_index(i.indexrelid)
  AND EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
        AND a.attname = :'index_column'
  )
ORDER BY c.relname;
