-- Check that nobody but roles that this role trusts made the schema vestige_sql and what is in it.
--
-- Whoever owns a function, a table or a trigger there has its code run with the rights of whoever runs the package. So each owner must
-- be a superuser, this role itself, or a member of it. A role that is no superuser also trusts the owner of the database.
-- GRANT this_role TO that_role WITH INHERIT FALSE, SET FALSE says that it trusts another one.
--
-- The tables and functions that a run has made for one table are left out; probe/refusals/35_of_the_package.sql asks for those.
-- Nothing of the package is called here, for it may not be the package's.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

DO $check$
DECLARE
    v_owner pg_catalog.name;
    v_superuser pg_catalog.bool;
    v_objects pg_catalog.text;
    v_login pg_catalog.name;
BEGIN
    -- what vestige_sql.trusts() says of the role that connected
    SELECT CASE
        WHEN s.rolsuper OR s.rolcreaterole OR s.rolcreatedb OR s.rolreplication OR s.rolbypassrls
            OR EXISTS (
                SELECT FROM pg_catalog.pg_roles r
                WHERE r.oid OPERATOR(pg_catalog.<>) s.oid AND pg_catalog.pg_has_role(s.oid, r.oid, 'MEMBER')
                  AND NOT pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER'))
            OR EXISTS (
                SELECT FROM pg_catalog.pg_shdepend d
                WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_authid'::pg_catalog.regclass::pg_catalog.oid
                  AND d.refobjid OPERATOR(pg_catalog.=) s.oid
                  AND NOT (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_database'::pg_catalog.regclass::pg_catalog.oid
                           AND d.deptype OPERATOR(pg_catalog.=) 'a'))
        THEN session_user ELSE current_user END
    INTO v_login
    FROM pg_catalog.pg_roles s
    WHERE s.rolname OPERATOR(pg_catalog.=) session_user;

    WITH role AS (
        SELECT pg_catalog.bool_or(r.rolsuper) AS is_superuser
        FROM pg_catalog.pg_roles r
        WHERE r.rolname OPERATOR(pg_catalog.=) ANY (ARRAY[session_user, current_user]::pg_catalog.name[])
    )
    SELECT pg_catalog.pg_get_userbyid(n.nspowner), role.is_superuser INTO v_owner, v_superuser
    FROM pg_catalog.pg_namespace n
    CROSS JOIN role
    JOIN pg_catalog.pg_database d ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
    WHERE n.nspname OPERATOR(pg_catalog.=) 'vestige_sql'
      AND NOT (pg_catalog.pg_has_role(n.nspowner, v_login, 'MEMBER') AND pg_catalog.pg_has_role(n.nspowner, current_user, 'MEMBER'))
      AND (role.is_superuser OR NOT (
          pg_catalog.pg_has_role(n.nspowner, d.datdba, 'MEMBER')
          OR n.nspowner OPERATOR(pg_catalog.=) pg_catalog.to_regrole('pg_database_owner')::pg_catalog.oid));
    IF FOUND THEN
        RAISE EXCEPTION 'the schema vestige_sql belongs to role %, whose functions would run with the rights of %; nothing was written',
            pg_catalog.quote_ident(v_owner), pg_catalog.quote_ident(current_user)
            USING ERRCODE = 'VS001', HINT = pg_catalog.format(
                'connect as %1$I; or look at what it made there, and then give the schema and all that is in it to a role that is trusted, '
                'or DROP SCHEMA vestige_sql CASCADE where nothing in it is needed%2$s; docs/privileges.md says which roles trust each other',
                v_owner, CASE
                    WHEN v_superuser THEN NULL
                    -- whoever connected could do more than the role that it set
                    WHEN v_owner OPERATOR(pg_catalog.=) current_user THEN pg_catalog.format(
                        '; %1$I has other rights besides: a login that is nothing but a member of %2$I is trusted', session_user, v_owner)
                    ELSE pg_catalog.format('; or say that %1$I may act as this role: GRANT %2$I TO %1$I', v_owner, current_user) END);
    END IF;

    WITH role AS (
        SELECT pg_catalog.bool_or(r.rolsuper) AS is_superuser
        FROM pg_catalog.pg_roles r
        WHERE r.rolname OPERATOR(pg_catalog.=) ANY (ARRAY[session_user, current_user]::pg_catalog.name[])
    ),
    package AS (
        SELECT n.oid, d.datdba
        FROM pg_catalog.pg_namespace n
        JOIN pg_catalog.pg_database d ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
        WHERE n.nspname OPERATOR(pg_catalog.=) 'vestige_sql'
    ),
    objects (kind, name, owner) AS (
        SELECT 'table', c.relname::pg_catalog.text, c.relowner
        FROM pg_catalog.pg_class c
        JOIN package p ON p.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.relkind::pg_catalog.text OPERATOR(pg_catalog.~) '[rpvmfS]'
        UNION ALL
        SELECT 'function', f.proname, f.proowner
        FROM pg_catalog.pg_proc f
        JOIN package p ON p.oid OPERATOR(pg_catalog.=) f.pronamespace
        UNION ALL
        SELECT 'type', t.typname, t.typowner
        FROM pg_catalog.pg_type t
        JOIN package p ON p.oid OPERATOR(pg_catalog.=) t.typnamespace
        LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.typrelid
        WHERE t.typelem OPERATOR(pg_catalog.=) 0 AND coalesce(c.relkind OPERATOR(pg_catalog.=) 'c', true)
        UNION ALL
        -- Who may create a trigger on a table of the package need not own it; the trigger's code is its function's.
        SELECT 'trigger', pg_catalog.concat(g.tgname, ' on ', c.relname), f.proowner
        FROM pg_catalog.pg_trigger g
        JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) g.tgrelid
        JOIN package p ON p.oid OPERATOR(pg_catalog.=) c.relnamespace
        JOIN pg_catalog.pg_proc f ON f.oid OPERATOR(pg_catalog.=) g.tgfoid
        WHERE NOT g.tgisinternal
    )
    SELECT pg_catalog.string_agg(pg_catalog.format('%s %s of %I', o.kind, o.name, pg_catalog.pg_get_userbyid(o.owner)), ', ' ORDER BY o.kind, o.name)
    INTO v_objects
    FROM objects o
    CROSS JOIN role
    CROSS JOIN package
    WHERE NOT (pg_catalog.pg_has_role(o.owner, v_login, 'MEMBER') AND pg_catalog.pg_has_role(o.owner, current_user, 'MEMBER'))
      AND (role.is_superuser OR NOT (
          pg_catalog.pg_has_role(o.owner, package.datdba, 'MEMBER')
          OR o.owner OPERATOR(pg_catalog.=) pg_catalog.to_regrole('pg_database_owner')::pg_catalog.oid))
      -- what a run makes for one table
      AND o.name OPERATOR(pg_catalog.!~)
          '^(stage|outdated|kept|changed|filling|key|staged_embedding|note_changed|forget_stale)_[0-9a-f]{16}(_pkey|_change_seq)?$';
    IF v_objects IS NOT NULL THEN
        RAISE EXCEPTION 'in the schema vestige_sql are objects of roles that % does not trust: %; nothing was written',
            pg_catalog.quote_ident(current_user), v_objects
            USING ERRCODE = 'VS001', HINT =
                'whatever they do would be done with the rights of who runs the package; look at them, and then DROP them or give them to the '
                'owner of the schema; docs/privileges.md says which roles trust each other';
    END IF;
END
$check$;
