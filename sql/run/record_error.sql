-- Keep why a run stopped. It stays open and goes on with the next call.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, writes the same
-- Undo:         nothing to undo
-- Variables:    error, run_id

UPDATE vestige_sql.run SET last_error = :'error' WHERE id = :run_id AND state IN ('staging', 'filling', 'applied');
