-- Show the questions that won most, by nDCG@10, with their answers and what each space found first.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    judging, limit

SELECT
    q.nr, q.question, q.slice, s.old_value AS old, s.new_value AS new,
    (SELECT array_agg(a.key ORDER BY a.grade DESC, a.key)
     FROM vestige_sql.judge_answer a WHERE a.judging = q.judging AND a.nr = q.nr AND a.grade > 0) AS answers,
    (SELECT f.key FROM vestige_sql.judge_found f WHERE f.judging = q.judging AND f.nr = q.nr AND f.space = 'old'
     ORDER BY f.distance, f.key COLLATE "C" DESC LIMIT 1) AS old_first,
    (SELECT f.key FROM vestige_sql.judge_found f WHERE f.judging = q.judging AND f.nr = q.nr AND f.space = 'new'
     ORDER BY f.distance, f.key COLLATE "C" DESC LIMIT 1) AS new_first
FROM vestige_sql.judge_question q
JOIN vestige_sql.judge_score s ON s.judging = q.judging AND s.nr = q.nr AND s.measure = 'ndcg@10'
WHERE q.judging = :judging AND s.new_value > s.old_value
ORDER BY s.new_value - s.old_value DESC, q.nr
LIMIT :limit;
