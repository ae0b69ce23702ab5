-- What the server is: versions, encoding, whether pgvector and the package's own schema are there, and who is asking.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    verb

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
    -- what the verb does in the package's own schema, and this role may not
    (SELECT pg_catalog.array_agg(pg_catalog.format('GRANT %s TO %I', g.lacking, current_user) ORDER BY g.place)
     FROM (
         SELECT 1, pg_catalog.format('%s ON SCHEMA vestige_sql', pg_catalog.string_agg(r.name, ', ' ORDER BY r.place))
         FROM pg_catalog.pg_namespace n
         CROSS JOIN (VALUES
             (1, 'USAGE', true),
             (2, 'CREATE', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back'))
         ) AS r (place, name, is_needed)
         WHERE n.nspname = 'vestige_sql' AND r.is_needed AND NOT pg_catalog.has_schema_privilege(n.oid, r.name)
         HAVING count(*) > 0
         UNION ALL
         SELECT min(x.place), pg_catalog.format('%s ON vestige_sql.%I', pg_catalog.string_agg(x.name, ', ' ORDER BY x.place), x.relname)
         FROM (VALUES
             (10, 'run', 'SELECT', true),
             (11, 'run', 'INSERT', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back')),
             (12, 'run', 'UPDATE', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back')),
             (20, 'step', 'SELECT', :'verb' <> 'copy'),
             (21, 'step', 'INSERT', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back')),
             (30, 'model', 'SELECT', true),
             (31, 'model', 'INSERT', :'verb' IN ('apply', 'keep', 'online', 'back')),
             (32, 'model', 'UPDATE', :'verb' IN ('apply', 'keep', 'online', 'back')),
             (40, 'saved_index', 'SELECT', true),
             (41, 'saved_index', 'INSERT', :'verb' IN ('apply', 'keep', 'online', 'back')),
             (42, 'saved_index', 'UPDATE', :'verb' IN ('apply', 'keep', 'online', 'back')),
             (43, 'saved_index', 'DELETE', :'verb' IN ('apply', 'keep', 'online', 'back')),
             (50, 'kept', 'SELECT', true),
             (51, 'kept', 'INSERT', :'verb' IN ('keep', 'online', 'back')),
             (52, 'kept', 'UPDATE', :'verb' IN ('keep', 'back')),
             (53, 'kept', 'DELETE', :'verb' = 'back')
         ) AS x (place, relname, name, is_needed)
         JOIN pg_catalog.pg_class c ON c.relname = x.relname
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'vestige_sql'
         WHERE x.is_needed AND NOT pg_catalog.has_table_privilege(c.oid, x.name)
         GROUP BY x.relname
         UNION ALL
         SELECT 60, 'EXECUTE ON ALL FUNCTIONS IN SCHEMA vestige_sql'
         WHERE :'verb' <> 'look' AND EXISTS (
             SELECT FROM pg_catalog.pg_proc p
             JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'vestige_sql'
             -- a trigger's is called by nobody
             WHERE p.prorettype <> 'pg_catalog.trigger'::regtype AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))
     ) AS g (place, lacking)) AS missing_grants;
