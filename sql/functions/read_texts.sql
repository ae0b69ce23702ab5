-- Read a JSON array of strings.
--
-- The result is NULL for what the function cannot read. A cast would stop the batch, and pg_input_is_valid() exists only
-- from PostgreSQL 16 on.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.read_texts(p_text text)
RETURNS text[]
LANGUAGE plpgsql
IMMUTABLE
STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_json jsonb := vestige_sql.read_json(p_text);
BEGIN
    IF p_text = '[]' THEN
        RETURN '{}';
    ELSIF jsonb_typeof(v_json) = 'array' AND NOT jsonb_path_exists(v_json, 'strict $[*] ? (@.type() != "string")') THEN
        RETURN ARRAY(SELECT jsonb_array_elements_text(v_json));
    END IF;
    RETURN NULL;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.read_texts FROM PUBLIC;
