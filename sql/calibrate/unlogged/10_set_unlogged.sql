-- Keep what is staged for the copy out of the log, as the copy is.
--
-- Locks:        none on the target, ACCESS EXCLUSIVE on the staging table
-- Transaction:  required
-- Run again:    safe, it is unlogged already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    staging_table

-- squawk-ignore-file require-lock-timeout -- nobody but this transaction sees the table
ALTER TABLE vestige_sql.:"staging_table" SET UNLOGGED;
