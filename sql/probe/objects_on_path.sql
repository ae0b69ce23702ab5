-- List what migrate up would use by the search_path, and another role made which this role does not trust.
--
-- yoyo and Vestige's migrations name their tables, functions and operators without a schema. Listed are tables of these names, and functions
-- and operators that are called as PostgreSQL's own are: they could fit a call better. What extensions made is left out.
--
-- vestige says whether Vestige's own tables are to be made.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    vestige

WITH login AS (
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
        THEN session_user ELSE current_user END AS name
    FROM pg_catalog.pg_roles s
    WHERE s.rolname OPERATOR(pg_catalog.=) session_user
)
SELECT pg_catalog.format('%s %I.%s of %I', o.kind, n.nspname, o.name, pg_catalog.pg_get_userbyid(o.owner)) AS object
FROM (
    SELECT 'table' AS kind, c.relnamespace AS namespace, pg_catalog.quote_ident(c.relname) AS name, c.relowner AS owner, c.oid
    FROM pg_catalog.pg_class c
    WHERE c.relkind::pg_catalog.text OPERATOR(pg_catalog.~) '[rpvmfS]'
      AND (c.relname::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY['_yoyo_migration', '_yoyo_log', '_yoyo_version', 'yoyo_lock'])
           OR :vestige AND c.relname::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY[
               'users', 'groups', 'group_memberships', 'embedding_model', 'domains', 'knowledge_nodes', 'scheduling', 'edges',
               'review_events', 'review_events_id_seq']))
    UNION ALL
    SELECT 'function', f.pronamespace, pg_catalog.quote_ident(f.proname), f.proowner, f.oid
    FROM pg_catalog.pg_proc f
    WHERE EXISTS (
        SELECT FROM pg_catalog.pg_proc b
        WHERE b.proname OPERATOR(pg_catalog.=) f.proname
          AND b.pronamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid)
    UNION ALL
    SELECT 'operator', x.oprnamespace, x.oprname, x.oprowner, x.oid
    FROM pg_catalog.pg_operator x
    WHERE EXISTS (
        SELECT FROM pg_catalog.pg_operator b
        WHERE b.oprname OPERATOR(pg_catalog.=) x.oprname
          AND b.oprnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid)
) AS o
CROSS JOIN login l
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.namespace
JOIN pg_catalog.pg_database d ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
WHERE n.nspname OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false))
  AND n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'
  AND NOT (pg_catalog.pg_has_role(o.owner, l.name, 'MEMBER') AND pg_catalog.pg_has_role(o.owner, current_user, 'MEMBER'))
  AND (pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on'
       OR NOT pg_catalog.pg_has_role(o.owner, d.datdba, 'MEMBER'))
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e
      WHERE e.objid OPERATOR(pg_catalog.=) o.oid AND e.deptype OPERATOR(pg_catalog.=) 'e')
ORDER BY o.kind, n.nspname, o.name;
