-- Remember of which columns an expression is whose texts a column's vectors were made from.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own table, for an instant
-- Transaction:  required
-- Run again:    safe, adds only what is missing
-- Undo:         reembed_0014_expression.rollback.sql
--
-- depends: reembed_0013_judge

-- squawk-ignore-file require-statement-timeout -- once it has the lock, it is done
SET LOCAL lock_timeout = '10s';

-- content_column has the expression as it was written then
ALTER TABLE vestige_sql.model
    ADD COLUMN IF NOT EXISTS content_numbered text;

COMMENT ON COLUMN vestige_sql.model.content_numbered IS
    'Where content_column is an expression: the expression with the columns'' numbers for their names, empty where nobody knows them';
