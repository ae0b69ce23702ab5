-- Drop the questions that no row answers which has a vector in both spaces, and say how many that are.
--
-- An answer that is not there counts as not found in either space, where its question has others. The step looks at each
-- answer by its key.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, the second time there is nothing left to drop
-- Undo:         nothing to undo
-- Variables:    id_sql_type, schema, table, key_is_k, staging_table, id_schema, embedding_column, judging

WITH there AS MATERIALIZED (
    SELECT a.nr, a.key, a.grade, EXISTS (
        SELECT
        FROM (SELECT CAST(a.key AS :id_sql_type) AS id) AS k
        JOIN :"schema".:"table" t ON :key_is_k
        JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) k.id
        WHERE t.:"embedding_column" IS NOT NULL) AS is_there
    FROM vestige_sql.judge_answer a
    WHERE a.judging = :judging
),
dropped AS (
    DELETE FROM vestige_sql.judge_question q
    WHERE q.judging = :judging
      AND NOT EXISTS (SELECT FROM there t WHERE t.nr = q.nr AND t.is_there AND t.grade > 0)
    RETURNING q.nr
)
SELECT
    (SELECT count(*) FROM dropped) AS questions_dropped,
    (SELECT count(*) FROM vestige_sql.judge_question q WHERE q.judging = :judging) - (SELECT count(*) FROM dropped) AS questions,
    (SELECT count(*) FROM there t WHERE NOT t.is_there) AS answers_missing;
