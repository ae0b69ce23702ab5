-- Forget the processes that ended more than a week ago.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to forget
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

DELETE FROM vestige_sql.worker_process p
WHERE p.worker = vestige_sql.worker_of(
        format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column')
  AND p.passed_at < clock_timestamp() - interval '7 days'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = p.backend_pid);
