-- Drop the column's vector indexes that an earlier build left INVALID.
--
-- Nothing can use them. An index of a partition that is a part of a partitioned one goes with that one.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, there is nothing left to drop
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, dimension, row_filter

-- squawk-ignore-file require-concurrent-index-deletion -- the transaction holds ACCESS EXCLUSIVE already, and may yet be undone
SELECT pg_catalog.format('DROP INDEX %I.%I', d.index_schema, d.index_name)
FROM vestige_sql.all_indexes(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :dimension, NULL, :'row_filter'
) AS d
WHERE d.attached_to IS NULL
  AND EXISTS (
      SELECT
      FROM vestige_sql.with_partitions(d.index_oid::regclass) p
      JOIN pg_catalog.pg_index i ON i.indexrelid = p.relation AND NOT i.indisvalid
      -- A partitioned index is not valid either where a partition lacks its part, which may be on purpose.
      WHERE p.is_leaf)
ORDER BY d.index_schema, d.index_name \gexec
