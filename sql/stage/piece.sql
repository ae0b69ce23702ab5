-- Read on in a long text, if the row still is the version of it that page.sql met.
--
-- page.sql brings the beginning of a text. A model that truncates needs no more of most texts, so a text of any length takes
-- little memory. Where it does, this step brings the next text_characters characters, from first_character on, counted from 1.
-- tuple is the place of the row's version, and version says which one lies there. If the row was changed since, nothing comes
-- back, and the next pass meets it: pieces of two texts are never put together.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    content, first_character, text_characters, schema, table, tuple, version

SELECT substr(:content, :first_character, :text_characters) AS piece
FROM :"schema".:"table" t
WHERE t.ctid = CAST(:'tuple' AS tid) AND concat_ws(' ', t.tableoid, t.ctid, t.xmin) = :'version';
