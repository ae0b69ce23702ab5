-- Drop the type of a key of several columns, unless a run is under way that needs it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    key_type, staging_table, changed_table

SELECT pg_catalog.format('DROP TYPE IF EXISTS vestige_sql.%I', :'key_type'::text)
WHERE :'key_type' <> ''
  AND pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'staging_table'::text)) IS NULL
  AND pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'changed_table'::text)) IS NULL
\gexec
