-- Wait a second longer than deadlock_timeout where VACUUM or the like is at work on the target or one of its partitions.
--
-- By then the server has ended it, if it is an autovacuum that somebody waits for. On a table with an HNSW index an
-- autovacuum takes minutes to hours, and a shorter wait never ends it.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, lock_timeout

SELECT pg_catalog.set_config('lock_timeout', CASE WHEN EXISTS (
    SELECT
    FROM pg_catalog.pg_locks l
    WHERE l.locktype = 'relation'
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
      AND l.relation IN (
          SELECT p.relation
          FROM vestige_sql.with_partitions(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass) p)
      AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted AND l.pid <> pg_catalog.pg_backend_pid()
) THEN (SELECT setting::integer + 1000 || 'ms' FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout')
ELSE :'lock_timeout' END, true);
