-- Drop the table of the former vectors, if a table keeps them.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    kept_table

-- squawk-ignore-file ban-drop-table -- the former vectors are what is to go, at a person's word
DROP TABLE IF EXISTS vestige_sql.:"kept_table";
