-- Claim the next rows that wait: at most batch_rows notes behind after_note, those first that came first.
--
-- What a pass could not settle, because other sessions have locked the rows, keeps nobody from what comes behind it.
--
-- A claim is an advisory lock on the row's key. It is tried and never waited for, so several workers share the work, and none takes a row
-- that another has. It ends with session/release_claims.sql, or with the session: a worker that was killed leaves no claim behind.
-- Nothing stays open while the texts are embedded.
--
-- Another worker may have ended a row since this statement began. So read.sql looks at each claimed row in a statement of its own.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, the claims are counted
-- Undo:         session/release_claims.sql
-- Variables:    worker, after_note, batch_rows

SELECT pg_catalog.to_jsonb(c.key)::text AS key, max(c.note) AS note, max(c.attempts) AS attempts
FROM (
    SELECT n.key, n.note, n.attempts
    FROM (
        SELECT x.key, x.note, x.attempts
        FROM vestige_sql.worker_note x
        WHERE x.worker = :worker AND x.note > :after_note AND (x.due_at IS NULL OR x.due_at <= clock_timestamp())
        ORDER BY x.note
        -- or notes might be claimed that the limit then leaves out
        OFFSET 0
    ) AS n
    WHERE pg_catalog.pg_try_advisory_lock(
        pg_catalog.hashtext('vestige_sql worker ' || :worker), pg_catalog.hashtext(n.key::text))
    LIMIT :batch_rows
) AS c
GROUP BY c.key
ORDER BY min(c.note);
