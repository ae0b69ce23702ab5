-- Drop the staging table that an earlier run may have left.
--
-- Locks:        none on the target
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    staging_table

-- squawk-ignore-file ban-drop-table -- the staging table is this package's own
DROP TABLE IF EXISTS vestige_sql.:"staging_table";
