-- Gather the column's statistics anew: changing its type threw them away.
--
-- Locks:        SHARE UPDATE EXCLUSIVE on the target
-- Transaction:  either
-- Run again:    safe
-- Undo:         nothing to undo
-- Variables:    schema, table, index_column

ANALYZE :"schema".:"table" (:"index_column");
