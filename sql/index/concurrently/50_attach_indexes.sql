-- Make the saved indexes of partitions parts of their partitioned indexes again.
--
-- A partitioned index is valid once each partition has its part.
--
-- Whoever reads a partition has its indexes open, so this waits for readers, but no longer than lock_timeout.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, what is attached stays
-- Undo:         DROP INDEX
-- Variables:    schema, table, embedding_column

SELECT pg_catalog.format('ALTER INDEX %s ATTACH PARTITION %I.%I', p.index::regclass, s.index_schema, s.built_as)
FROM vestige_sql.saved_index s
CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(s.attached_to) AS index) AS p
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND p.index IS NOT NULL
  AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.index_schema, s.built_as)) IS NOT NULL
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_inherits h
      WHERE h.inhrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.index_schema, s.built_as)))
ORDER BY s.index_schema, s.index_name \gexec
