-- Let the server check the dimension of each kept vector.
--
-- Locks:        none on the target, ACCESS EXCLUSIVE on the staging table
-- Transaction:  required
-- Run again:    safe, it has that dimension
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    staging_table, vector_type, dimension

-- squawk-ignore-file changing-column-type -- the staging table is this package's own
ALTER TABLE vestige_sql.:"staging_table"
    ALTER COLUMN embedding TYPE :vector_type(:dimension);
