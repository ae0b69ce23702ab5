-- Create the type of a key of several columns, which the package's tables have as their id.
--
-- Its fields are f1, f2 and so on, with the types and the collations of the key's columns. A key of one column needs none.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, a type that is there stays
-- Undo:         stage/drop_key_type.sql
-- Variables:    key_type, key_fields

SELECT pg_catalog.format('CREATE TYPE vestige_sql.%I AS (%s)', :'key_type'::text, :'key_fields'::text)
WHERE :'key_type' <> '' AND pg_catalog.to_regtype(pg_catalog.format('vestige_sql.%I', :'key_type'::text)) IS NULL
\gexec
