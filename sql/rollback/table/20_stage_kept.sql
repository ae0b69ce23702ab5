-- Let the kept vectors be the staged ones, with the dimension that the server checks them against.
--
-- Locks:        none on the target, ACCESS EXCLUSIVE on the staging table
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    refused, nothing is kept any more
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    staging_table, kept_table, vector_type, dimension

-- squawk-ignore-file ban-drop-table, renaming-table, changing-column-type -- the tables are this package's own
DROP TABLE IF EXISTS vestige_sql.:"staging_table";

ALTER TABLE vestige_sql.:"kept_table"
    RENAME TO :"staging_table";

ALTER TABLE vestige_sql.:"staging_table"
    ALTER COLUMN embedding TYPE :vector_type(:dimension);
