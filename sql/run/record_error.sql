-- Keep why a run stopped. It stays open and goes on with the next call.
--
-- Where a worker that nobody waits for any more is at a chunk, and so has the run's row, the audit does without.
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
