-- Limit how long this session waits for a lock on a partitioned table from here on.
--
-- Attaching the indexes of partitions waits for readers, and others wait behind it. Where it gives up, the same command goes on
-- there.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it sets the same value
-- Undo:         ends with the session
-- Variables:    lock_timeout, schema, table

SELECT pg_catalog.set_config('lock_timeout', :'lock_timeout', false) AS lock_timeout
FROM pg_catalog.pg_class c
WHERE c.oid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AND c.relkind = 'p';
