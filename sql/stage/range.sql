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
-- Variables:    key, schema, table, after, id_sql_type, key_is_after_k, key_columns, range_rows

SELECT :key::text AS until
FROM :"schema".:"table" t
CROSS JOIN (SELECT CAST(:after AS :id_sql_type) AS id) AS k
WHERE (:after IS NULL OR :key_is_after_k)
ORDER BY :key_columns
OFFSET :range_rows - 1
LIMIT 1;
