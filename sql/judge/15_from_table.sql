-- Read questions with known answers from a table or view of yours.
--
-- Its columns are question, relevant and perhaps slice. relevant is a list of keys, as an array, as JSON or as text with blanks
-- in between, or JSON with a grade for each key.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    questions_table

SELECT to_jsonb(q) -> 'question' AS question, to_jsonb(q) -> 'relevant' AS relevant, to_jsonb(q) -> 'slice' AS slice
FROM :questions_table AS q;
