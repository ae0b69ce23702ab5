-- Drop the vector indexes on the second column, INVALID ones too, while readers and writers go on.
--
-- Locks:        SHARE UPDATE EXCLUSIVE on the target
-- Transaction:  forbidden
-- Run again:    safe, there is nothing left to drop
-- Undo:         build them again: index/concurrently/
-- Variables:    schema, table, second_column

SELECT DISTINCT pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %s', d.objid::regclass)
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
JOIN pg_catalog.pg_index i ON i.indexrelid = d.objid
WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
  AND d.refobjid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attname = :'second_column'
ORDER BY 1 \gexec
