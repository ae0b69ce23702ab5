-- List the vector indexes that a run dropped and has still to build.
--
-- Indexes that an online run builds beside the former ones are not listed.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT
    s.index_name AS name, s.definition,
    -- how the index of a partition becomes a part of its partitioned index again
    CASE WHEN s.attached_to IS NOT NULL THEN
        pg_catalog.format('ALTER INDEX %s ATTACH PARTITION %I.%I', s.attached_to, s.index_schema, s.built_as) END AS attaching
FROM vestige_sql.saved_index s
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND s.built_as = s.index_name
ORDER BY s.index_schema, s.index_name;
