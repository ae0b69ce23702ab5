-- Count the rows that have text and no vector in the kept column.
--
-- It reads the whole table.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, kept_column, content

SELECT count(*) AS rows_missing
FROM :"schema".:"table" t
WHERE t.:"kept_column" IS NULL AND vestige_sql.has_text(:content);
