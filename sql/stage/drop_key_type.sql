-- Drop the type of a key of several columns, once no table of the package has such a key any more.
--
-- Former vectors that are kept in a table, and notes of changes, still need it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is gone
-- Undo:         stage/create/05_create_key_type.sql
-- Variables:    key_type, kept_table, changed_table

SELECT pg_catalog.format('DROP TYPE IF EXISTS vestige_sql.%I', :'key_type'::text)
WHERE :'key_type' <> ''
  AND pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'kept_table'::text)) IS NULL
  AND pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'changed_table'::text)) IS NULL
\gexec
