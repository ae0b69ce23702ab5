-- List what is in the way among the objects that the package makes, or uses, for the table, with the way out.
--
-- Their names are made from the table's, so that others can make them first. Whoever owns such an object, or could put a trigger, a rule or
-- a policy on it, has code run with the rights of whoever runs the package. So its owner must be a role that this role trusts, or one that
-- could act as the table's owner, and it must be as the package makes it. session/07_check_owners.sql asks for the rest of the schema.
--
-- The first row only says which table was asked. remove holds statements that take the reason away. The rows are remembered for this
-- transaction, for 80_by_way.sql.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    embedding_column, schema, table

WITH target AS (
    SELECT c.oid, c.relname, c.relnamespace, c.relowner, format('%I.%I', n.nspname, c.relname) AS name,
        left(encode(sha256(convert_to(format('%I.%I.%I', n.nspname, c.relname, :'embedding_column'::text), 'UTF8')), 'hex'), 16) AS suffix
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :'schema' AND c.relname = :'table' AND c.relkind IN ('r', 'p')
),
login AS (
    -- The rights of the role that connected count too, for any code may RESET ROLE. They do not where this role has all of them, as with
    -- a login of Vault's whose settings SET ROLE to the role that owns the tables.
    SELECT CASE
        WHEN s.rolsuper OR s.rolcreaterole OR s.rolcreatedb OR s.rolreplication OR s.rolbypassrls
            OR EXISTS (
                SELECT FROM pg_catalog.pg_roles r
                WHERE r.oid <> s.oid AND pg_has_role(s.oid, r.oid, 'MEMBER') AND NOT pg_has_role(current_user, r.oid, 'MEMBER'))
            OR EXISTS (
                SELECT FROM pg_catalog.pg_shdepend d
                WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.refobjid = s.oid
                  AND NOT (d.classid = 'pg_catalog.pg_database'::regclass AND d.deptype = 'a'))
        THEN session_user ELSE current_user END AS name
    FROM pg_catalog.pg_roles s
    WHERE s.rolname = session_user
),
trust AS (
    -- The roles that this role trusts with its rights: what vestige_sql.trusts() says, for those who may not call it.
    SELECT r.oid
    FROM pg_catalog.pg_roles r
    CROSS JOIN target t
    CROSS JOIN login l
    JOIN pg_catalog.pg_database d ON d.datname = current_database()
    WHERE pg_has_role(r.oid, l.name, 'MEMBER') AND pg_has_role(r.oid, current_user, 'MEMBER')
       OR NOT EXISTS (SELECT FROM pg_catalog.pg_roles s WHERE s.rolname IN (session_user, current_user) AND s.rolsuper)
           AND (r.rolname = 'pg_database_owner' OR pg_has_role(r.oid, d.datdba, 'MEMBER'))
       OR pg_has_role(r.oid, t.relowner, 'MEMBER')
),
names AS (
    SELECT p.prefix || t.suffix AS name
    FROM target t
    CROSS JOIN unnest(ARRAY['stage_', 'outdated_', 'kept_', 'changed_', 'filling_', 'key_', 'staged_embedding_', 'note_changed_', 'forget_stale_']) AS p (prefix)
),
relations AS (
    SELECT c.oid, c.relname, c.relkind, c.relowner, format('%I.%I', n.nspname, c.relname) AS name,
        c.relrowsecurity, c.relhassubclass OR c.relispartition AS inherits
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN target t ON t.relnamespace = n.oid AND t.relname = 'knowledge_nodes' AND :'embedding_column' = 'embedding'
    WHERE n.nspname = 'vestige_sql' AND c.relname IN (SELECT x.name FROM names x)
       OR t.oid IS NOT NULL AND c.relname = 'embedding_model'
),
objects (name, owner, removed_by) AS (
    SELECT r.name, r.relowner, format('DROP %s %s;', CASE r.relkind
        WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE'
        WHEN 'c' THEN 'TYPE' WHEN 'i' THEN 'INDEX' ELSE 'TABLE' END, r.name)
    FROM relations r
    UNION ALL
    SELECT format('vestige_sql.%I()', f.proname), f.proowner, format('DROP ROUTINE %s;', f.oid::regprocedure)
    FROM pg_catalog.pg_proc f
    JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE n.nspname = 'vestige_sql' AND f.proname IN (SELECT x.name FROM names x)
    UNION ALL
    SELECT format('vestige_sql.%I', y.typname), y.typowner, format('DROP TYPE vestige_sql.%I;', y.typname)
    FROM pg_catalog.pg_type y
    JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
    WHERE n.nspname = 'vestige_sql' AND y.typname IN (SELECT x.name FROM names x) AND y.typrelid = 0
),
refusals (place, what, object, message, hint, remove, restore) AS (
    SELECT
        0, 'asked', format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
        'what the package makes for it', '', '{}'::text[], '{}'::text[]
    UNION ALL
    SELECT
        36, 'planted', o.name,
        format('%s belongs to role %s, which role %s does not trust', o.name, quote_ident(pg_get_userbyid(o.owner)), quote_ident(current_user)),
        format('its code would run with the rights of %s; look at it, and then drop it or give it to the table''s owner; '
            'docs/privileges.md says which roles trust each other; nothing was written', quote_ident(current_user)),
        ARRAY[o.removed_by], '{}'
    FROM objects o
    WHERE o.owner NOT IN (SELECT t.oid FROM trust t)
    UNION ALL
    SELECT
        37, 'altered', r.name,
        format('%s is not as the package makes it: it has %s', r.name, x.found),
        'take that away; nothing was written',
        '{}', '{}'
    FROM relations r
    CROSS JOIN LATERAL (
        SELECT string_agg(f.fault, ', ' ORDER BY f.fault) AS found
        FROM (
            SELECT 'the kind of a view, a sequence or the like' AS fault WHERE r.relkind NOT IN ('r', 'c')
            UNION ALL
            SELECT format('the trigger %I', g.tgname) FROM pg_catalog.pg_trigger g WHERE g.tgrelid = r.oid AND NOT g.tgisinternal
            UNION ALL
            SELECT format('the rule %I', w.rulename) FROM pg_catalog.pg_rewrite w WHERE w.ev_class = r.oid AND r.relkind = 'r'
            UNION ALL
            SELECT format('the policy %I', p.polname) FROM pg_catalog.pg_policy p WHERE p.polrelid = r.oid
            UNION ALL
            SELECT format('the check %I', k.conname) FROM pg_catalog.pg_constraint k WHERE k.conrelid = r.oid AND k.contype = 'c'
            UNION ALL
            SELECT format('a default of %I', a.attname)
            FROM pg_catalog.pg_attrdef e JOIN pg_catalog.pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum
            WHERE e.adrelid = r.oid
            UNION ALL
            SELECT format('the index %I', ic.relname)
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
            WHERE i.indrelid = r.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
            UNION ALL
            SELECT 'a parent or a child' WHERE r.inherits OR EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = r.oid)
        ) AS f
    ) AS x
    -- Vestige's own table has what Vestige gives it.
    WHERE x.found IS NOT NULL AND r.relname <> 'embedding_model'
),
ruling AS (
    SELECT r.*, CASE r.what WHEN 'asked' THEN '{}' ELSE '{rewrite,widen,swap,fill,online,back}' END::text[] AS rules_out
    FROM refusals r
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('package', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place) FROM ruling r)))::text, true)
)
SELECT r.* FROM ruling r CROSS JOIN remembered ORDER BY r.place;
