-- Show the fingerprint of what is staged: it is another one after any change of a staged vector.
--
-- Locks:        none on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    staging_table

SELECT vestige_sql.staged_fingerprint(pg_catalog.format('vestige_sql.%I', :'staging_table'::text)::regclass) AS fingerprint;
