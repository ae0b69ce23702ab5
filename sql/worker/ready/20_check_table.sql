-- Check that the target is a plain table, whose rows one pass over its blocks finds.
--
-- A partitioned table has no blocks of its own. A worker for each partition would do, and does not exist.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table

SELECT vestige_sql.require(
    c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid)),
    format('the worker keeps plain tables up to date, and %I.%I is partitioned or inherits', n.nspname, c.relname),
    'nothing was written; vestige-sql migrate reembed with the registered model embeds the rows that lack a vector')
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :'schema' AND c.relname = :'table';
