-- Return the statements that give one column exactly the grants of another.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.column_grants(p_table regclass, p_from name, p_to name)
RETURNS SETOF text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH grants AS (
        SELECT
            a.attname, acl.privilege_type, acl.is_grantable,
            CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee
        FROM pg_attribute a
        CROSS JOIN LATERAL aclexplode(a.attacl) acl
        WHERE a.attrelid = p_table AND NOT a.attisdropped
    ),
    wanted AS (
        SELECT grantee, privilege_type, bool_or(is_grantable) AS is_grantable
        FROM grants WHERE attname = p_from GROUP BY grantee, privilege_type
    ),
    there AS (
        SELECT grantee, privilege_type, bool_or(is_grantable) AS is_grantable
        FROM grants WHERE attname = p_to GROUP BY grantee, privilege_type
    )
    SELECT s.statement
    FROM wanted w
    FULL JOIN there t ON (t.grantee, t.privilege_type) = (w.grantee, w.privilege_type)
    CROSS JOIN LATERAL (VALUES
        (1, t.grantee IS NOT NULL, format('REVOKE %s (%I) ON %s FROM %s CASCADE', t.privilege_type, p_to, p_table, t.grantee)),
        (2, w.grantee IS NOT NULL, format('GRANT %s (%I) ON %s TO %s%s', w.privilege_type, p_to, p_table, w.grantee,
            CASE WHEN w.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END))
    ) AS s (step, is_due, statement)
    WHERE s.is_due AND t.is_grantable IS DISTINCT FROM w.is_grantable
    ORDER BY s.step, s.statement
$function$;

REVOKE ALL ON FUNCTION vestige_sql.column_grants FROM PUBLIC;
