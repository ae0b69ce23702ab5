-- Show the questions that are to be encoded.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    judging

SELECT q.nr, q.question FROM vestige_sql.judge_question q WHERE q.judging = :judging AND q.stand_in IS NULL ORDER BY q.nr;
