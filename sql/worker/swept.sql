-- Remember that a pass has looked at every row, or at every row that was written since the one before, and what it may have missed.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it writes the same
-- Undo:         nothing to undo
-- Variables:    swept_xid, guard, is_whole, epoch, worker

UPDATE vestige_sql.worker w
SET swept_xid = :swept_xid, swept_guard = :'guard',
    swept_epoch = CASE WHEN :is_whole THEN :epoch ELSE w.swept_epoch END,
    swept_at = CASE WHEN :is_whole THEN clock_timestamp() ELSE w.swept_at END
WHERE w.id = :worker AND w.epoch = :epoch;
