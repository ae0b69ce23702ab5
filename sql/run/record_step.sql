-- Keep that a step file ran: its name, the SHA-256 of its bytes, when, and for how long.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is recorded once more
-- Undo:         DELETE the row from vestige_sql.step
-- Variables:    run_id, file, sha256, rows_affected, duration_secs

INSERT INTO vestige_sql.step (run_id, file, sha256, rows_affected, started_at, duration_secs)
VALUES (:run_id, :'file', :'sha256', :rows_affected, clock_timestamp() - make_interval(secs => :duration_secs), :duration_secs);
