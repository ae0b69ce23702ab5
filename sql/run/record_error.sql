-- Keep in the audit why a run stopped.
--
-- The run stays open and goes on with the next call.
--
-- A worker that nobody waits for any more may still be at a chunk, and so hold the run's row. The audit then does without the
-- reason.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, writes the same
-- Undo:         nothing to undo
-- Variables:    error, run_id

UPDATE vestige_sql.run
SET last_error = :'error'
WHERE id = (
    SELECT r.id FROM vestige_sql.run r
    WHERE r.id = :run_id AND r.state IN ('staging', 'filling', 'applied')
    FOR NO KEY UPDATE SKIP LOCKED
);
