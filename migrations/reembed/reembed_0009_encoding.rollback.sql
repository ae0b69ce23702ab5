-- Forget how each model makes vectors of texts. Vectors and registry stay.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own table
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0009_encoding.sql, then vestige-sql migrate register for each table

-- squawk-ignore-file ban-drop-table -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the lock, it is done
SET LOCAL lock_timeout = '10s';

DROP TABLE IF EXISTS vestige_sql.encoding;
