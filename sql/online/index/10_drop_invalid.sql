-- Drop the indexes that an earlier build of this run left INVALID.
--
-- Nothing but this run gives an index such a name.
--
-- Locks:        SHARE UPDATE EXCLUSIVE on the target
-- Transaction:  forbidden
-- Run again:    safe, there is nothing left to drop
-- Undo:         build it again: index/concurrently/
-- Variables:    schema, table, embedding_column

SELECT pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', s.table_schema, s.built_as)
FROM vestige_sql.saved_index s
JOIN pg_catalog.pg_index i
    ON i.indexrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.table_schema, s.built_as))
    AND NOT i.indisvalid
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND s.built_as <> s.index_name
ORDER BY s.built_as \gexec
