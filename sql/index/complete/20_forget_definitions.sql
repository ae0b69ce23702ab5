-- Forget the definitions of indexes that are there and valid under their own name.
--
-- A partitioned index is there once its parts are. It is valid only where each partition has one. The index of a partition
-- that is gone is forgotten too.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to forget
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

DELETE FROM vestige_sql.saved_index s
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND s.built_as = s.index_name
  AND (
      EXISTS (
          SELECT
          FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
          WHERE i.indexrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.index_schema, s.built_as))
            AND (i.indisvalid OR c.relkind = 'I'))
      OR s.partition_name IS NOT NULL AND NOT EXISTS (
          SELECT
          FROM vestige_sql.with_partitions(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass) p
          WHERE p.relation = pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.partition_schema, s.partition_name))));
