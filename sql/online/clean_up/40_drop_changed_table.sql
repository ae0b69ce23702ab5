-- Drop the notes of changed rows.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it is gone
-- Undo:         nothing to undo
-- Variables:    changed_table

-- squawk-ignore-file ban-drop-table -- the table is this package's own, and no trigger writes into it
DROP TABLE IF EXISTS vestige_sql.:"changed_table";
