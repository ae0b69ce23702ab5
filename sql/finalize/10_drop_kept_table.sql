-- Drop the table in which the former vectors are kept, if they are in one.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    kept_table

-- squawk-ignore-file ban-drop-table -- the former vectors are what is to go, at a person's word
DROP TABLE IF EXISTS vestige_sql.:"kept_table";
