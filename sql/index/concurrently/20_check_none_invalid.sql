-- Check that no index is INVALID under a name that is to be built.
--
-- This mode never drops an INVALID index on its own.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT vestige_sql.require(
    false,
    format('the index %I.%I is INVALID, left by a build that failed',
        s.table_schema, s.built_as),
    format('drop it and run again: DROP INDEX CONCURRENTLY %I.%I;', s.table_schema, s.built_as)
)
FROM vestige_sql.saved_index s
JOIN pg_catalog.pg_index i
    ON i.indexrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.table_schema, s.built_as))
    AND NOT i.indisvalid
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column';
