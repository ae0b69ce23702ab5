-- Give each question that has no slice that of its answer: an SQL expression over the row's columns.
--
-- Of several answers it is that of the highest grade.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it sets the same value
-- Undo:         UPDATE vestige_sql.judge_question, so that slice is NULL
-- Variables:    key, slice, schema, table, id_sql_type, judging, id_schema

UPDATE vestige_sql.judge_question q
SET slice = found.slice
FROM (SELECT :key AS id, (:slice)::text AS slice FROM :"schema".:"table" t) AS found
JOIN (
    SELECT DISTINCT ON (a.nr) a.nr, CAST(a.key AS :id_sql_type) AS id
    FROM vestige_sql.judge_answer a
    WHERE a.judging = :judging
    ORDER BY a.nr, a.grade DESC, a.key COLLATE "C"
) AS first ON first.id OPERATOR(:"id_schema".=) found.id
WHERE q.judging = :judging AND q.nr = first.nr AND q.slice IS NULL;
