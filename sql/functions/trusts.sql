-- Ask whether this role trusts another one with its own rights.
--
-- It does where the other one could act as this role anyway: as a superuser, as this role itself, or as a member of it. A role that is
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
    SELECT
        pg_has_role(p_role, session_user, 'MEMBER') AND pg_has_role(p_role, current_user, 'MEMBER')
        OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN (session_user, current_user) AND r.rolsuper) AND (
            p_role = to_regrole('pg_database_owner')
            OR EXISTS (
                SELECT FROM pg_database d
                WHERE d.datname = current_database() AND pg_has_role(p_role, d.datdba, 'MEMBER')))
        OR EXISTS (SELECT FROM pg_class c WHERE c.oid = p_table AND pg_has_role(p_role, c.relowner, 'MEMBER'))
$function$;

REVOKE ALL ON FUNCTION vestige_sql.trusts FROM PUBLIC;
