-- Forget which triggers were on, because they are on again.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, there is nothing left to forget
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT pg_catalog.set_config('vestige_sql.triggers', '', true);
