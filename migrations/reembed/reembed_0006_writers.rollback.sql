-- Let every role with the right to the package's tables write any row again, and forget who saved the definition of an index.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0006_writers.sql, then vestige-sql migrate up

-- squawk-ignore-file ban-drop-function, ban-drop-column -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
SET LOCAL lock_timeout = '10s';

DROP FUNCTION IF EXISTS vestige_sql.checked_definition(vestige_sql.saved_index);
DROP FUNCTION IF EXISTS vestige_sql.check_writer() CASCADE;
ALTER TABLE vestige_sql.saved_index DROP COLUMN IF EXISTS saved_by;
DELETE FROM vestige_sql.function_file WHERE name IN ('checked_definition', 'check_writer');
