-- Show how much each index found and how fast it was, by its search setting.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    judging

SELECT s.space, s.index_name AS "index", s.setting, s.value, s.questions, s.recall, s.p50_ms, s.p95_ms
FROM vestige_sql.judge_speed s
WHERE s.judging = :judging
ORDER BY s.space DESC, s.index_name, s.value;
