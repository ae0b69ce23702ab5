-- Drop the staging table and the notes beside it, once its vectors are in place or given up.
--
-- The target is not touched.
--
-- Locks:        none on the target, ACCESS EXCLUSIVE on the staging table
-- Transaction:  either
-- Run again:    safe, there is nothing left to drop
-- Undo:         ROLLBACK, while the transaction is open; later, stage again
-- Variables:    staging_table, outdated_table

-- squawk-ignore-file ban-drop-table -- the staging table is this package's own
-- squawk-ignore-file require-lock-timeout -- it waits for no more than a chunk that is being staged
DROP TABLE IF EXISTS vestige_sql.:"staging_table", vestige_sql.:"outdated_table";
