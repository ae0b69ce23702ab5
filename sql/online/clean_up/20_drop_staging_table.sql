-- Drop the staging table: its vectors are in place.
--
-- Locks:        none on the target, ACCESS EXCLUSIVE on the staging table
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it is gone
-- Undo:         nothing to undo
-- Variables:    staging_table

-- squawk-ignore-file ban-drop-table -- the staging table is this package's own
DROP TABLE IF EXISTS vestige_sql.:"staging_table";
