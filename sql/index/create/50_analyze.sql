-- Gather the column's statistics anew: changing its type threw them away.
--
-- Locks:        SHARE UPDATE EXCLUSIVE on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

ANALYZE :"schema".:"table" (:"embedding_column");
