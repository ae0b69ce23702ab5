-- Return who began a run, once it is sure that this role trusts that one, or that it could act as the table's owner.
--
-- The variables of a run stand in statements as they are.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.checked_author(p_author text, p_table regclass)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT coalesce(vestige_sql.trusts(to_regrole(quote_ident(p_author))::oid, p_table), false) THEN
        RAISE EXCEPTION 'role % began or changed the open run on %, and role % does not trust it',
            quote_ident(p_author), p_table, quote_ident(current_user)
            USING ERRCODE = 'VS001', HINT =
                'nothing was changed; look at the row in vestige_sql.run, and then UPDATE vestige_sql.run SET state = ''aborted'' for it, '
                'or SET started_by = current_user where all of it is right';
    END IF;
    RETURN p_author;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.checked_author FROM PUBLIC;
