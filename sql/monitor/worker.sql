-- Show the workers: which column each keeps up to date, how its processes do, and what waits.
--
-- A process is well if its session is there and it has passed in the last minute. waiting counts the rows that are noted, failing those
-- among them that could not be embedded, and oldest_secs says since when the first of them waits. A column without a process that is well
-- has one row too. A supervisor alarms where is_well is false, or where oldest_secs grows.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT
    format('%I.%I.%I', w.table_schema, w.table_name, w.column_name) AS target,
    w.model_name AS model,
    w.swept_at,
    p.process, p.state,
    coalesce(
        p.stopped_at IS NULL AND p.passed_at > clock_timestamp() - interval '1 minute'
            AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = p.backend_pid),
        false) AS is_well,
    p.passed_at, p.embedded, p.cleared, p.failed, p.last_error,
    n.waiting, n.failing, n.oldest_secs
FROM vestige_sql.worker w
LEFT JOIN vestige_sql.worker_process p ON p.worker = w.id AND p.stopped_at IS NULL
CROSS JOIN LATERAL (
    SELECT
        count(DISTINCT x.key) AS waiting,
        count(DISTINCT x.key) FILTER (WHERE x.error IS NOT NULL) AS failing,
        round(extract(epoch FROM clock_timestamp() - min(x.noted_at))) AS oldest_secs
    FROM vestige_sql.worker_note x
    WHERE x.worker = w.id
) AS n
ORDER BY target, p.started_at;
