-- Check that the table of the former vectors is that of a role which this one trusts.
--
-- Another role may have made it first, under this very name.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    kept_table, schema, table

SELECT vestige_sql.check_owner(:'kept_table', pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass);
