-- Take one of the places for chunks that are copied at the same time, until the transaction ends.
--
-- No row comes back where all are taken. The runner then asks again; this step does not wait for a place.
--
-- Locks:        none on the target, one advisory lock
-- Transaction:  required
-- Run again:    safe, the lock is counted
-- Undo:         ends with the transaction
-- Variables:    copies

SELECT s.slot
FROM (
    -- each session begins at another place, so that most find a free one at once
    SELECT (pg_catalog.pg_backend_pid() + g) % :copies AS slot FROM pg_catalog.generate_series(1, :copies) g
    OFFSET 0
) AS s
WHERE pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('vestige_sql copy'), s.slot)
LIMIT 1;
