-- Let one answer of each question stand in for it, where the old model is not at hand: the other answers are to be found.
--
-- It is the one with the highest grade of those that have a vector in both spaces. A question with no other answer is dropped.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, a question that has its row keeps it
-- Undo:         nothing to undo
-- Variables:    judging, id_sql_type, schema, table, key_is_k, staging_table, id_schema, embedding_column

WITH there AS MATERIALIZED (
    SELECT
        a.nr, a.key, count(*) OVER (PARTITION BY a.nr) AS answers,
        row_number() OVER (PARTITION BY a.nr ORDER BY a.grade DESC, a.key COLLATE "C") AS place
    FROM vestige_sql.judge_answer a
    JOIN vestige_sql.judge_question q ON q.judging = a.judging AND q.nr = a.nr AND q.stand_in IS NULL
    WHERE a.judging = :judging AND a.grade > 0
      AND EXISTS (
        SELECT
        FROM (SELECT CAST(a.key AS :id_sql_type) AS id) AS k
        JOIN :"schema".:"table" t ON :key_is_k
        JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) k.id
        WHERE t.:"embedding_column" IS NOT NULL)
),
dropped AS (
    DELETE FROM vestige_sql.judge_question q
    WHERE q.judging = :judging AND q.stand_in IS NULL
      AND NOT EXISTS (SELECT FROM there t WHERE t.nr = q.nr AND t.answers > 1)
),
taken AS (
    DELETE FROM vestige_sql.judge_answer a
    USING there t
    WHERE a.judging = :judging AND t.nr = a.nr AND t.key = a.key AND t.place = 1 AND t.answers > 1
)
UPDATE vestige_sql.judge_question q
SET stand_in = t.key
FROM there t
WHERE q.judging = :judging AND t.nr = q.nr AND t.place = 1 AND t.answers > 1;
