-- List the sessions that hold or await a lock on the target, the oldest transaction first.
--
-- This package ends none of them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid

SELECT
    a.pid,
    coalesce(a.usename, a.backend_type) AS role,
    a.application_name,
    a.state,
    pg_catalog.string_agg(DISTINCT l.mode, ', ') AS modes,
    bool_or(l.granted) AS granted,
    (extract(epoch FROM clock_timestamp() - min(a.xact_start)))::double precision AS transaction_secs,
    pg_catalog.left(a.query, 80) AS query
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation'
  AND l.relation = :oid::oid
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND a.pid <> pg_catalog.pg_backend_pid()
GROUP BY a.pid, a.usename, a.backend_type, a.application_name, a.state, a.query
ORDER BY min(a.xact_start), a.pid;
