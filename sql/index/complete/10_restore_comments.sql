-- Give the indexes their comments back.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, writes the same
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

-- squawk-ignore-file require-lock-timeout -- readers and writers do not wait behind it
SELECT pg_catalog.format('COMMENT ON INDEX %I.%I IS %L', s.index_schema, s.built_as, s.index_comment)
FROM vestige_sql.saved_index s
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND s.index_comment IS NOT NULL
  -- a partition may be gone by now
  AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.index_schema, s.built_as)) IS NOT NULL
ORDER BY s.index_schema, s.index_name \gexec
