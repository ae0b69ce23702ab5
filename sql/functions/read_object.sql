-- Read a JSON object that SQLite keeps as text.
--
-- The result is NULL for what the function cannot read. A cast would stop the batch, and pg_input_is_valid() exists only
-- from PostgreSQL 16 on.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.read_object(p_text text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_json jsonb := vestige_sql.read_json(p_text);
BEGIN
    RETURN CASE WHEN jsonb_typeof(v_json) = 'object' THEN v_json END;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.read_object FROM PUBLIC;
