-- List the vector indexes that depend on the embedding column, valid or not.
--
-- Those are HNSW and IVFFlat indexes, and those of any access method that orders by a distance of vectors.
--
-- An index of a partition that is a part of a partitioned one is not listed, but counts in that one's bytes. A partitioned index
-- is valid where each of its parts is. A partition that has none may be so on purpose.
--
-- left_over says that REINDEX CONCURRENTLY left the index behind when it failed. Nothing uses it, and nothing builds it again.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid, embedding_column

WITH RECURSIVE tables (oid) AS (
    SELECT :oid::oid
    UNION
    SELECT i.inhrelid FROM tables t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
),
parts (of, oid) AS (
    SELECT i.indexrelid, i.indexrelid FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
    UNION
    SELECT p.of, i.inhrelid FROM parts p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
)
SELECT
    c.relname AS name,
    am.amname AS method,
    -- pgvector's own, under whatever name, have pgvector's limits
    h.proname IN ('hnswhandler', 'ivfflathandler') AS is_pgvectors,
    NOT EXISTS (
        SELECT FROM parts p
        JOIN pg_catalog.pg_class pc ON pc.oid = p.oid AND pc.relkind = 'i'
        JOIN pg_catalog.pg_index pi ON pi.indexrelid = p.oid
        WHERE p.of = c.oid AND NOT (pi.indisvalid AND pi.indisready)) AS valid,
    -- vestige_sql.index_definitions() builds such a one no more, and that function may not be there yet
    NOT i.indisvalid AND c.relname ~ '_cc(new|old)\d*$' AND EXISTS (
        SELECT FROM pg_catalog.pg_index o
        JOIN pg_catalog.pg_class oc ON oc.oid = o.indexrelid
        WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid
          AND starts_with(oc.relname, pg_catalog.regexp_replace(c.relname, '_cc(new|old)\d*$', ''))
    ) AS left_over,
    (SELECT pg_catalog.sum(pg_catalog.pg_relation_size(p.oid))::bigint FROM parts p WHERE p.of = c.oid) AS bytes,
    kt.typname AS key_type,
    k.atttypmod AS key_dimension,
    (SELECT o.oprname
     FROM pg_catalog.pg_amop ao
     JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
     WHERE ao.amopfamily = oc.opcfamily AND ao.amoppurpose = 'o' AND ao.amoplefttype = oc.opcintype
     ORDER BY ao.amopstrategy
     LIMIT 1) AS operator,
    pg_catalog.pg_get_indexdef(c.oid) AS definition
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[0]
JOIN pg_catalog.pg_am am ON am.oid = c.relam
JOIN pg_catalog.pg_proc h ON h.oid = am.amhandler
JOIN pg_catalog.pg_attribute k ON k.attrelid = c.oid AND k.attnum = 1
JOIN pg_catalog.pg_type kt ON kt.oid = k.atttypid
WHERE i.indrelid IN (SELECT t.oid FROM tables t)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid)
  AND (
      am.amname IN ('hnsw', 'ivfflat')
      -- vestige_sql.is_vector_index() says the same, and that function may not be there yet
      OR EXISTS (
          SELECT FROM pg_catalog.pg_amop ao
          LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = ao.amoplefttype
              AND d.refclassid = 'pg_catalog.pg_extension'::regclass
          LEFT JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND x.extname = 'vector'
          WHERE ao.amopfamily = oc.opcfamily AND ao.amoppurpose = 'o'
            AND (x.oid IS NOT NULL OR ao.amoplefttype = 'bit'::regtype)))
  AND EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
        AND a.attname = :'embedding_column'
  )
ORDER BY c.relname;
