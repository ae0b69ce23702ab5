-- Find where one worker's range ends: the last key of the next range_rows rows by key.
--
-- No row comes back where fewer rows are left. after is a literal of the key, or NULL for the first range.
--
-- This step reads range_rows entries of the key's index and no more, in a short transaction. So cutting the whole table
-- costs one index scan in all, and none of it beforehand.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    id_column, schema, table, after, id_schema, id_sql_type, range_rows

SELECT t.:"id_column"::text AS until
FROM :"schema".:"table" t
WHERE (:after IS NULL OR t.:"id_column" OPERATOR(:"id_schema".>) CAST(:after AS :id_sql_type))
ORDER BY t.:"id_column"
OFFSET :range_rows - 1
LIMIT 1;
