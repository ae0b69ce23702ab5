-- Forget the history of all runs, the registry of tables that are not Vestige's and whatever is staged.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         none: restore from a backup
--
-- Your tables keep their vectors; what is lost is the record of which model made them.

DROP SCHEMA IF EXISTS vestige_sql CASCADE;
