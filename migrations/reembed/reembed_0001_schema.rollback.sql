-- Forget the history of all runs, the registry of tables that are not Vestige's and whatever is staged.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         none: restore from a backup
--
-- Your tables keep their vectors; what is lost is the record of which model made them.

-- squawk-ignore-file ban-drop-schema -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
SET LOCAL lock_timeout = '10s';

DROP SCHEMA IF EXISTS vestige_sql CASCADE;
