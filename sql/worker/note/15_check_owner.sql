-- Check that the function that notes changes is that of a role which this one trusts.
--
-- Another role may have made it first, under this very name.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    note_function, schema, table

SELECT vestige_sql.check_owner(:'note_function', pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass);
