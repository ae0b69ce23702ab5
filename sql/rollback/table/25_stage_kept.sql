-- Turn the table of kept vectors into the staging table.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    refused, nothing is kept any more
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    kept_table, staging_table

-- squawk-ignore-file renaming-table -- the tables are this package's own
ALTER TABLE vestige_sql.:"kept_table"
    RENAME TO :"staging_table";
