-- Show the server's versions and encoding, whether pgvector and the package's own schema are there, and who is asking.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT
    current_setting('server_version') AS server_version,
    current_setting('server_encoding') AS encoding,
    current_database() AS database,
    current_user AS role,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    current_setting('transaction_read_only')::boolean AS read_only,
    (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'vector') AS pgvector_version,
    (SELECT n.nspname
     FROM pg_catalog.pg_extension e
     JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'vector') AS vector_schema,
    EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'vestige_sql') AS package_schema_exists,
    EXISTS (
        SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'vestige_sql' AND p.proname = 'require') AS package_functions_exist,
    -- probe/version.sql reads these tables. Databases of version 0.1.0 lack them.
    v.tables = 2 AS version_table_exists,
    v.tables = 2 AND v.readable AS version_is_readable
FROM (
    SELECT
        count(*) AS tables,
        bool_and(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')) AS readable
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'vestige_sql' AND c.relname IN ('package', 'function_file')
) AS v;
