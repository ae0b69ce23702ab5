-- Read the beginnings of the texts of more than so many bytes: those that may have more tokens than a limit.
--
-- Of each the first text_characters characters come back, and whether that is less than the whole.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    content, text_characters, schema, table, text_bytes, is_chosen

SELECT left(:content, :text_characters) AS content, length(:content) > :text_characters AS goes_on
FROM :"schema".:"table" t
WHERE octet_length(:content) > :text_bytes
  AND :is_chosen;
