-- What the server is: versions, encoding, whether pgvector and the package's own schema are there, and who is asking.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT
    current_setting('server_version') AS server_version,
    current_setting('server_version_num')::integer AS server_version_num,
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
    -- what a run does in the package's own schema, and this role may not
    (SELECT pg_catalog.array_agg(pg_catalog.format('GRANT %s TO %I', g.lacking, current_user) ORDER BY g.place)
     FROM (
         SELECT 1, 'USAGE, CREATE ON SCHEMA vestige_sql'
         FROM pg_catalog.pg_namespace n
         WHERE n.nspname = 'vestige_sql'
           AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_schema_privilege(n.oid, 'CREATE'))
         UNION ALL
         SELECT x.place, pg_catalog.format('%s ON vestige_sql.%I', pg_catalog.array_to_string(x.rights, ', '), c.relname)
         FROM (VALUES
             (2, 'run', ARRAY['SELECT', 'INSERT', 'UPDATE']),
             (3, 'step', ARRAY['SELECT', 'INSERT']),
             (4, 'model', ARRAY['SELECT', 'INSERT', 'UPDATE']),
             (5, 'saved_index', ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']),
             (6, 'kept', ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
         ) AS x (place, relname, rights)
         JOIN pg_catalog.pg_class c ON c.relname = x.relname
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'vestige_sql'
         WHERE EXISTS (
             SELECT FROM pg_catalog.unnest(x.rights) AS r (name) WHERE NOT pg_catalog.has_table_privilege(c.oid, r.name))
     ) AS g (place, lacking)) AS missing_grants;
