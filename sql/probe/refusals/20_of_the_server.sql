-- List what this server, this database and this role refuse, whatever the table and the way, with the way out.
--
-- The first row only says who was asked. remove holds statements that take the reason away. restore holds statements that
-- bring back what those took. The rows are remembered for this transaction, for 80_by_way.sql. only_asking says that nothing
-- is to be written. What event triggers say is what 12_try_event_triggers.sql has found.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    verb, only_asking

WITH grants AS (
    -- what the verb has to do in the package's own schema and this role may not do
    SELECT g.place, format('GRANT %s TO %I', g.lacking, current_user) AS lacking
    FROM (
        SELECT 1, format('%s ON SCHEMA vestige_sql', string_agg(r.name, ', ' ORDER BY r.place))
        FROM pg_catalog.pg_namespace n
        CROSS JOIN (VALUES
            (1, 'USAGE', true),
            (2, 'CREATE', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back', 'worker_install'))
        ) AS r (place, name, is_needed)
        WHERE n.nspname = 'vestige_sql' AND r.is_needed AND NOT has_schema_privilege(n.oid, r.name)
        HAVING count(*) > 0
        UNION ALL
        SELECT min(x.place), format('%s ON vestige_sql.%I', string_agg(x.name, ', ' ORDER BY x.place), x.relname)
        FROM (VALUES
            (10, 'run', 'SELECT', true),
            (11, 'run', 'INSERT', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back')),
            (12, 'run', 'UPDATE', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back', 'bridge')),
            (20, 'step', 'SELECT', :'verb' <> 'copy'),
            (21, 'step', 'INSERT', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back', 'bridge')),
            (30, 'model', 'SELECT', true),
            (31, 'model', 'INSERT', :'verb' IN ('apply', 'keep', 'online', 'back', 'copy')),
            (32, 'model', 'UPDATE', :'verb' IN ('apply', 'keep', 'online', 'back', 'copy')),
            (40, 'saved_index', 'SELECT', true),
            (41, 'saved_index', 'INSERT', :'verb' IN ('apply', 'keep', 'online', 'back')),
            (42, 'saved_index', 'UPDATE', :'verb' IN ('apply', 'keep', 'online', 'back')),
            (43, 'saved_index', 'DELETE', :'verb' IN ('apply', 'keep', 'online', 'back')),
            (50, 'kept', 'SELECT', true),
            (51, 'kept', 'INSERT', :'verb' IN ('keep', 'online', 'back')),
            (52, 'kept', 'UPDATE', :'verb' IN ('keep', 'online', 'back')),
            (53, 'kept', 'DELETE', :'verb' = 'back'),
            (54, 'package', 'SELECT', true),
            (56, 'function_file', 'SELECT', true),
            (57, 'home', 'SELECT', true),
            (58, 'home', 'INSERT', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back', 'copy', 'worker', 'worker_install')),
            (59, 'home', 'UPDATE', :'verb' IN ('stage', 'apply', 'keep', 'online', 'back', 'copy', 'worker', 'worker_install')),
            (70, 'judging', 'SELECT', :'verb' = 'judge'),
            (71, 'judging', 'INSERT', :'verb' = 'judge'),
            (72, 'judging', 'UPDATE', :'verb' = 'judge'),
            (73, 'judge_question', 'SELECT', :'verb' = 'judge'),
            (74, 'judge_question', 'INSERT', :'verb' = 'judge'),
            (75, 'judge_question', 'UPDATE', :'verb' = 'judge'),
            (76, 'judge_question', 'DELETE', :'verb' = 'judge'),
            (77, 'judge_answer', 'SELECT', :'verb' = 'judge'),
            (78, 'judge_answer', 'INSERT', :'verb' = 'judge'),
            (79, 'judge_answer', 'DELETE', :'verb' = 'judge'),
            (80, 'judge_found', 'SELECT', :'verb' = 'judge'),
            (81, 'judge_found', 'INSERT', :'verb' = 'judge'),
            (82, 'judge_score', 'SELECT', :'verb' = 'judge'),
            (83, 'judge_score', 'INSERT', :'verb' = 'judge'),
            (84, 'judge_measure', 'SELECT', :'verb' = 'judge'),
            (85, 'judge_measure', 'INSERT', :'verb' = 'judge'),
            (86, 'judge_speed', 'SELECT', :'verb' = 'judge'),
            (87, 'judge_speed', 'INSERT', :'verb' = 'judge'),
            (90, 'bridge', 'SELECT', :'verb' IN ('bridge', 'back')),
            (91, 'bridge', 'INSERT', :'verb' = 'bridge'),
            (92, 'bridge', 'UPDATE', :'verb' IN ('bridge', 'back')),
            (93, 'bridge_row', 'SELECT', :'verb' IN ('bridge', 'back')),
            (94, 'bridge_row', 'INSERT', :'verb' = 'bridge'),
            (95, 'bridge_row', 'DELETE', :'verb' IN ('bridge', 'back')),
            (100, 'worker', 'SELECT', :'verb' IN ('worker', 'worker_install')),
            (101, 'worker', 'INSERT', :'verb' IN ('worker', 'worker_install')),
            (102, 'worker', 'UPDATE', :'verb' IN ('worker', 'worker_install')),
            (103, 'worker_text', 'SELECT', :'verb' IN ('worker', 'worker_install')),
            (104, 'worker_text', 'INSERT', :'verb' IN ('worker', 'worker_install')),
            (105, 'worker_text', 'UPDATE', :'verb' IN ('worker', 'worker_install')),
            (106, 'worker_text', 'DELETE', :'verb' IN ('worker', 'worker_install')),
            (107, 'worker_note', 'SELECT', :'verb' IN ('worker', 'worker_install')),
            (108, 'worker_note', 'INSERT', :'verb' IN ('worker', 'worker_install')),
            (109, 'worker_note', 'DELETE', :'verb' IN ('worker', 'worker_install')),
            (110, 'worker_process', 'SELECT', :'verb' IN ('worker', 'worker_install')),
            (111, 'worker_process', 'INSERT', :'verb' IN ('worker', 'worker_install')),
            (112, 'worker_process', 'UPDATE', :'verb' IN ('worker', 'worker_install')),
            (113, 'worker_process', 'DELETE', :'verb' IN ('worker', 'worker_install')),
            (57, 'encoding', 'SELECT', :'verb' NOT IN ('copy', 'back', 'bridge')),
            (58, 'encoding', 'INSERT', :'verb' IN ('stage', 'apply', 'keep', 'online')),
            (59, 'encoding', 'UPDATE', :'verb' IN ('stage', 'apply', 'keep', 'online'))
        ) AS x (place, relname, name, is_needed)
        JOIN pg_catalog.pg_class c ON c.relname = x.relname
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'vestige_sql'
        WHERE x.is_needed AND NOT has_table_privilege(c.oid, x.name)
        GROUP BY x.relname
        UNION ALL
        SELECT 60, 'EXECUTE ON ALL FUNCTIONS IN SCHEMA vestige_sql'
        WHERE :'verb' <> 'look' AND EXISTS (
            SELECT FROM pg_catalog.pg_proc p
            JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'vestige_sql'
            -- Nobody calls a trigger's function.
            WHERE p.prorettype <> 'pg_catalog.trigger'::regtype AND NOT has_function_privilege(p.oid, 'EXECUTE'))
    ) AS g (place, lacking)
),
refusals (place, what, object, message, hint, remove, restore) AS (
    SELECT
        0, 'asked', format('database %I', current_database()),
        format('PostgreSQL %s, role %s', current_setting('server_version'), current_user), '', '{}'::text[], '{}'::text[]
    UNION ALL
    SELECT
        10, 'no_pgvector', format('database %I', current_database()),
        format('database %s has no pgvector: the extension vector is not installed in it', current_database()),
        'install pgvector on the server, then run: vestige-sql migrate up; nothing was written',
        ARRAY['CREATE EXTENSION vector;'], '{}'
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = 'vector')
    UNION ALL
    SELECT
        11, 'encoding', format('database %I', current_database()),
        format('database %s is encoded in %s, and only UTF8 is supported', current_database(), current_setting('server_encoding')),
        'copy it into one in UTF8: createdb -T template0 -E UTF8 NEW, then pg_dump OLD | psql NEW; nothing was written',
        '{}', '{}'
    WHERE current_setting('server_encoding') <> 'UTF8'
    UNION ALL
    SELECT
        12, 'package_rights', 'schema vestige_sql',
        format('role %s lacks rights in the schema vestige_sql', current_user),
        string_agg(g.lacking, '; ' ORDER BY g.place) || '; nothing was written',
        array_agg(g.lacking || ';' ORDER BY g.place),
        array_agg(regexp_replace(g.lacking, '^GRANT (.*) TO ', 'REVOKE \1 FROM ') || ';' ORDER BY g.place)
    FROM grants g
    HAVING count(*) > 0
    UNION ALL
    SELECT
        13, 'standby', format('database %I', current_database()),
        'this server is a standby and takes no writes',
        'connect to the primary; nothing was written',
        '{}', '{}'
    WHERE NOT :only_asking AND pg_is_in_recovery()
    UNION ALL
    SELECT
        14, 'read_only', format('role %I', current_user),
        format('transactions of role %s on database %s are read-only: see default_transaction_read_only',
            current_user, current_database()),
        'set it to off for the role, the database or this session (PGOPTIONS=''-c default_transaction_read_only=off''); '
            'nothing was written',
        ARRAY['SET default_transaction_read_only = off;'], ARRAY['SET default_transaction_read_only = on;']
    WHERE NOT :only_asking AND NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only')::boolean
    UNION ALL
    SELECT
        15, 'no_package', format('database %I', current_database()),
        format('database %s lacks the schema vestige_sql, which keeps staging and audit', current_database()),
        'run: vestige-sql migrate up; nothing was written',
        '{}', '{}'
    WHERE NOT :only_asking AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'vestige_sql' AND p.proname = 'require')
    UNION ALL
    SELECT
        16, 'event_triggers', format('database %I', current_database()),
        format('an event trigger of database %s fails a statement such as a run makes: %s', current_database(), t.say),
        format('of %s, see what the function does, and whether it names its tables with their schema: it runs with the search_path '
            '"pg_catalog, pg_temp", unless ALTER FUNCTION .. SET search_path gives it one; or have a superuser disable it during '
            'the run: ALTER EVENT TRIGGER .. DISABLE; nothing was written', string_agg(t.name, ', ' ORDER BY t.name)),
        array_agg(format('ALTER EVENT TRIGGER %I DISABLE;', t.name) ORDER BY t.name),
        array_agg(format('ALTER EVENT TRIGGER %I ENABLE%s;', t.name,
            CASE t.enabled WHEN 'A' THEN ' ALWAYS' WHEN 'R' THEN ' REPLICA' ELSE '' END) ORDER BY t.name)
    FROM (
        SELECT
            e.evtname AS name, e.evtenabled AS enabled, s.say,
            -- the error says the function, unless that is not PL/pgSQL's
            position(e.evtfoid::regprocedure::text IN s.context) > 0 AS is_named,
            bool_or(position(e.evtfoid::regprocedure::text IN s.context) > 0) OVER () AS any_named
        FROM pg_catalog.pg_event_trigger e
        CROSS JOIN (
            SELECT
                nullif(current_setting('vestige_sql.event_triggers_say', true), '') AS say,
                coalesce(current_setting('vestige_sql.event_triggers_context', true), '') AS context
        ) AS s
        WHERE s.say IS NOT NULL AND e.evtenabled <> 'D' AND e.evtevent <> 'login'
    ) AS t
    WHERE t.is_named OR NOT t.any_named
    GROUP BY t.say
),
ruling AS (
    SELECT r.*, CASE r.what WHEN 'asked' THEN '{}' ELSE '{rewrite,widen,swap,fill,online,back}' END::text[] AS rules_out
    FROM refusals r
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('server', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place) FROM ruling r)))::text, true)
)
SELECT r.* FROM ruling r CROSS JOIN remembered ORDER BY r.place;
