-- Keep how a run went: the way of applying and why it was taken, and how long the vectors and the index took.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, writes the same
-- Undo:         nothing to undo
-- Variables:    way, way_reason, duration_secs, index_secs, run_id

UPDATE vestige_sql.run
SET way = coalesce(:'way', way),
    way_reason = coalesce(:way_reason, way_reason),
    duration_secs = :duration_secs,
    index_secs = :index_secs,
    last_error = NULL
WHERE id = :run_id;
