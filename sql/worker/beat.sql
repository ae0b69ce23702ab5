-- Say how this process of the worker does, for sql/monitor/worker.sql and for whoever supervises it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it writes the same
-- Undo:         nothing to undo
-- Variables:    process_id, worker, process, state, embedded, cleared, failed, error

INSERT INTO vestige_sql.worker_process AS p (id, worker, process, backend_pid, state, embedded, cleared, failed, last_error, stopped_at)
VALUES (:'process_id', :worker, :'process', pg_catalog.pg_backend_pid(), :'state', :embedded, :cleared, :failed, nullif(:'error', ''),
    CASE :'state' WHEN 'stopped' THEN clock_timestamp() END)
ON CONFLICT (id) DO UPDATE
SET worker = excluded.worker, backend_pid = excluded.backend_pid, state = excluded.state, passed_at = clock_timestamp(),
    embedded = excluded.embedded, cleared = excluded.cleared, failed = excluded.failed,
    last_error = coalesce(excluded.last_error, p.last_error), stopped_at = excluded.stopped_at;
