-- Forget the views that are there again.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT pg_catalog.set_config('vestige_sql.views', '', true) AS views;
