-- Forget of which columns an expression is whose texts a column's vectors were made from. The expression stays, as it was written.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own table, for an instant
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0014_expression.sql, and vestige-sql migrate register for tables whose text is an expression

-- squawk-ignore-file ban-drop-column -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the lock, it is done
SET LOCAL lock_timeout = '10s';

ALTER TABLE vestige_sql.model
    DROP COLUMN IF EXISTS content_numbered;
