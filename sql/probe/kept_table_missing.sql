-- Count the rows that have text and no kept vector of that very text.
--
-- It reads the whole table.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, kept_table, id_schema, key, content, is_chosen

SELECT count(*) AS rows_missing
FROM :"schema".:"table" t
LEFT JOIN vestige_sql.:"kept_table" k
    ON k.id OPERATOR(:"id_schema".=) :key AND k.content_hash = vestige_sql.content_hash(:content)
WHERE k.id IS NULL AND :is_chosen AND vestige_sql.has_text(:content);
