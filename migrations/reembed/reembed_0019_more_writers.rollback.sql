-- Let every role with the right to them write any row of the tables of home, of judge and of what models answered.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0019_more_writers.sql, then vestige-sql migrate up

-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
SET LOCAL lock_timeout = '10s';

DROP TRIGGER IF EXISTS check_writer ON vestige_sql.home;
DROP TRIGGER IF EXISTS check_writer ON vestige_sql.encoder_probe;
DROP TRIGGER IF EXISTS check_writer ON vestige_sql.judging;
DROP TRIGGER IF EXISTS check_writer ON vestige_sql.judge_question;
DROP TRIGGER IF EXISTS check_writer ON vestige_sql.judge_answer;
DROP TRIGGER IF EXISTS check_writer ON vestige_sql.judge_found;
DROP TRIGGER IF EXISTS check_writer ON vestige_sql.judge_score;
DROP TRIGGER IF EXISTS check_writer ON vestige_sql.judge_measure;
DROP TRIGGER IF EXISTS check_writer ON vestige_sql.judge_speed;
