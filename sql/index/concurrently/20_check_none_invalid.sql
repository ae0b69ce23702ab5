-- Check that no index is INVALID under a name that is to be built.
--
-- This mode never drops an INVALID index on its own. A partitioned index does not count: it is not valid before all of its parts
-- are there.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT vestige_sql.require(
    false,
    format('the index %I.%I is INVALID, left by a build that failed',
        s.index_schema, s.built_as),
    format('drop it and run again: DROP INDEX CONCURRENTLY %I.%I;', s.index_schema, s.built_as)
)
FROM vestige_sql.saved_index s
JOIN pg_catalog.pg_index i
    ON i.indexrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.index_schema, s.built_as))
    AND NOT i.indisvalid
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column';
