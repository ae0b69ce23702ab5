-- Check that a table or function of the package's schema was made by a role that this one trusts, or that could act as the table's owner.
--
-- CREATE .. IF NOT EXISTS takes what is there, and CREATE OR REPLACE keeps the owner of whoever made it first. So this is asked after
-- each, in the same transaction.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.check_owner(p_name text, p_table regclass)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_owner oid;
BEGIN
    FOR v_owner IN
        SELECT c.relowner FROM pg_class c WHERE c.relnamespace = 'vestige_sql'::regnamespace AND c.relname = p_name
        UNION
        SELECT f.proowner FROM pg_proc f WHERE f.pronamespace = 'vestige_sql'::regnamespace AND f.proname = p_name
    LOOP
        IF NOT vestige_sql.trusts(v_owner, p_table) THEN
            RAISE EXCEPTION 'vestige_sql.% was made by role %, which role % does not trust; the table is as it was',
                quote_ident(p_name), quote_ident(pg_get_userbyid(v_owner)), quote_ident(current_user)
                USING ERRCODE = 'VS001', HINT = 'look at it, drop it, and run the same command again; docs/privileges.md says which roles trust each other';
        END IF;
    END LOOP;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.check_owner FROM PUBLIC;
