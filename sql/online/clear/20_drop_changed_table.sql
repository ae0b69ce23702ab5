-- Drop the table that holds the notes of changed rows.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    changed_table

-- squawk-ignore-file ban-drop-table, require-lock-timeout -- the table is this package's own, and no trigger writes into it
DROP TABLE IF EXISTS vestige_sql.:"changed_table";
