-- Stop the transaction with a message for people, under the package's own SQLSTATE.
--
-- Control characters in the message and the hint came with somebody's name or key, and a terminal would obey them. They are
-- shown as symbols. Only tab and newline stay.
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
DECLARE
    v_obeyed CONSTANT text :=
        E'\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0d\x0e\x0f\x10\x11\x12'
        '\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f';
    v_shown CONSTANT text :=
        E'\u2401\u2402\u2403\u2404\u2405\u2406\u2407\u2408\u240b\u240c\u240d\u240e\u240f\u2410\u2411\u2412'
        '\u2413\u2414\u2415\u2416\u2417\u2418\u2419\u241a\u241b\u241c\u241d\u241e\u241f\u2421';
BEGIN
    IF p_holds IS NOT TRUE THEN
        RAISE EXCEPTION USING
            ERRCODE = 'VS001',
            MESSAGE = translate(coalesce(p_message, 'a check did not hold'), v_obeyed, v_shown),
            HINT = translate(coalesce(p_hint, ''), v_obeyed, v_shown);
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.require FROM PUBLIC;
