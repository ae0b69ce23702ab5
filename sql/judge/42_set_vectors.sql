-- Keep the questions' vectors of one space, from JSON with a list of numbers for each question's number.
--
-- space is old or new.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it sets the same values
-- Undo:         UPDATE vestige_sql.judge_question, so that the vectors are NULL
-- Variables:    space, vectors, judging

UPDATE vestige_sql.judge_question q
SET old_vector = CASE :'space' WHEN 'old' THEN v.vector ELSE q.old_vector END,
    new_vector = CASE :'space' WHEN 'new' THEN v.vector ELSE q.new_vector END
FROM (
    SELECT e.key::integer AS nr, translate(e.value, '[]', '{}')::real[] AS vector
    FROM jsonb_each_text(:'vectors'::jsonb) AS e (key, value)
) AS v
WHERE q.judging = :judging AND q.nr = v.nr;
