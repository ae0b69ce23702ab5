-- Forget all questions, measures and verdicts.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0013_judge.sql, which makes the tables empty
--
-- No vector is touched. Where a verdict is required, nothing is put in place until there is one again.

-- squawk-ignore-file ban-drop-table -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
SET LOCAL lock_timeout = '10s';

DROP TABLE IF EXISTS vestige_sql.judge_speed;
DROP TABLE IF EXISTS vestige_sql.judge_measure;
DROP TABLE IF EXISTS vestige_sql.judge_score;
DROP TABLE IF EXISTS vestige_sql.judge_found;
DROP TABLE IF EXISTS vestige_sql.judge_answer;
DROP TABLE IF EXISTS vestige_sql.judge_question;
DROP TABLE IF EXISTS vestige_sql.judging;
