-- Stop the transaction with a message for people, under the package's own SQLSTATE.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.require(p_holds boolean, p_message text, p_hint text DEFAULT '')
RETURNS void
LANGUAGE plpgsql
-- or no query that calls it is planned in parallel
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF p_holds IS NOT TRUE THEN
        RAISE EXCEPTION USING
            ERRCODE = 'VS001',
            MESSAGE = coalesce(p_message, 'a check did not hold'),
            HINT = coalesce(p_hint, '');
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.require FROM PUBLIC;
