-- Count the staged rows.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    staging_table

SELECT count(*) AS rows_staged FROM vestige_sql.:"staging_table";
