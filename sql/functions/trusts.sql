-- Ask whether this role trusts another one with its own rights.
--
-- It does where the other one could act as this role anyway: as a superuser, as this role itself, or as a member of it. The same goes for
-- the role that connected, unless this role has all the rights of that one. A role that is
-- no superuser also trusts the owner of the database. With p_table, whoever could act as the owner of that table is trusted too, for
-- the owner's code runs in any case where the table is written to.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.trusts(p_role oid, p_table regclass DEFAULT NULL)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH login AS (
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
    )
    SELECT
        pg_has_role(p_role, (SELECT l.name FROM login l), 'MEMBER') AND pg_has_role(p_role, current_user, 'MEMBER')
        OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN (session_user, current_user) AND r.rolsuper) AND (
            p_role = to_regrole('pg_database_owner')
            OR EXISTS (
                SELECT FROM pg_database d
                WHERE d.datname = current_database() AND pg_has_role(p_role, d.datdba, 'MEMBER')))
        OR EXISTS (SELECT FROM pg_class c WHERE c.oid = p_table AND pg_has_role(p_role, c.relowner, 'MEMBER'))
$function$;

REVOKE ALL ON FUNCTION vestige_sql.trusts FROM PUBLIC;
