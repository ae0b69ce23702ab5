-- Show what a judging measured: each measure, of all questions and by slice.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    judging

SELECT m.slice, m.measure, m.questions, m.old_value AS old, m.new_value AS new, m.difference, m.low, m.high
FROM vestige_sql.judge_measure m
WHERE m.judging = :judging
ORDER BY m.slice COLLATE "C", array_position('{ndcg@10,recall@1,recall@10,mrr,overlap@10,rbo}'::text[], m.measure);
