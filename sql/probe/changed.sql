-- Count the changes that are noted and not yet in the second column.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    changed_table

SELECT count(*) AS changes FROM vestige_sql.:"changed_table";
