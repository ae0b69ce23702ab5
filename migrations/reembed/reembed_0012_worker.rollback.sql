-- Forget which text each vector is of, and which rows wait for a worker.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0012_worker.sql, then vestige-sql migrate up; the next worker begins anew
--
-- No vector is touched. A trigger that notes changes goes on to fire, and does nothing: drop it with
-- vestige-sql worker --uninstall before this.

-- squawk-ignore-file ban-drop-table -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
SET LOCAL lock_timeout = '10s';

DROP TABLE IF EXISTS vestige_sql.worker_process;
DROP TABLE IF EXISTS vestige_sql.worker_note;
DROP TABLE IF EXISTS vestige_sql.worker_text;
DROP TABLE IF EXISTS vestige_sql.worker;
