-- Note that rows could not be embedded, why, and when they are tried again: later each time, up to an hour.
--
-- rows is a JSON array of objects: key, note and error. note is the last note that was claimed. A change that was noted since is tried at
-- once.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it goes on counting
-- Undo:         DELETE FROM vestige_sql.worker_note
-- Variables:    rows, worker, retry_secs

WITH failed AS MATERIALIZED (
    SELECT b.key, b.note, b.error
    FROM jsonb_to_recordset(:'rows'::jsonb) AS b (key text[], note bigint, error text)
),
former AS (
    DELETE FROM vestige_sql.worker_note n
    USING failed f
    WHERE n.worker = :worker AND n.key = f.key AND n.note <= f.note
    RETURNING n.key, n.attempts, n.noted_at
)
INSERT INTO vestige_sql.worker_note (worker, key, noted_at, due_at, attempts, error)
SELECT
    :worker, f.key, coalesce(min(o.noted_at), clock_timestamp()),
    clock_timestamp() + least(interval '1 hour', :retry_secs * interval '1 second' * 2 ^ least(coalesce(max(o.attempts), 0), 20)),
    coalesce(max(o.attempts), 0) + 1,
    left(min(f.error), 1000)
FROM failed f
LEFT JOIN former o ON o.key = f.key
GROUP BY f.key;
