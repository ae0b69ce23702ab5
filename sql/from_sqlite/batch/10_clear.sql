-- Remove the previous batch from a staging table.
--
-- Locks:        none on the target, ACCESS EXCLUSIVE on the staging table
-- Transaction:  either
-- Run again:    safe, it is empty
-- Undo:         nothing to undo
-- Variables:    staging_table

-- squawk-ignore-file require-lock-timeout -- a temporary table is this session's alone
TRUNCATE pg_temp.:"staging_table";
