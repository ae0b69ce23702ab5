-- Check that the staging table is that of a role which this one trusts.
--
-- Another role may have made it first, under this very name.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    staging_table, key_type, schema, table

SELECT
    vestige_sql.check_owner(:'staging_table', t.target),
    vestige_sql.check_owner(:'key_type', t.target)
FROM (SELECT pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AS target) AS t;
