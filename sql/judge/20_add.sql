-- Add questions with known answers, from a list in JSON.
--
-- An entry has question, relevant, which is a grade for each key, and perhaps slice. The keys are read as the table's key type
-- reads them, so that each has the one form that the table shows.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, what is there stays
-- Undo:         DELETE the questions from vestige_sql.judge_question
-- Variables:    question_list, id_sql_type, judging

WITH given AS MATERIALIZED (
    SELECT g.nr::integer AS nr, g.entry ->> 'question' AS question, g.entry ->> 'slice' AS slice, g.entry -> 'relevant' AS relevant
    FROM jsonb_array_elements(:'question_list'::jsonb) WITH ORDINALITY AS g (entry, nr)
),
answers AS MATERIALIZED (
    SELECT g.nr, CAST(r.key AS :id_sql_type)::text AS key, max(r.grade::double precision) AS grade
    FROM given g
    CROSS JOIN LATERAL jsonb_each_text(g.relevant) AS r (key, grade)
    GROUP BY g.nr, CAST(r.key AS :id_sql_type)::text
),
asked AS (
    INSERT INTO vestige_sql.judge_question (judging, nr, question, slice)
    SELECT :judging, g.nr, g.question, g.slice FROM given g
    ON CONFLICT DO NOTHING
)
INSERT INTO vestige_sql.judge_answer (judging, nr, key, grade)
SELECT :judging, a.nr, a.key, a.grade FROM answers a
ON CONFLICT DO NOTHING;
