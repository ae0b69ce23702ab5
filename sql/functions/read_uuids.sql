-- Read a JSON array of UUIDs.
--
-- The result is NULL for what the function cannot read. A cast would stop the batch, and pg_input_is_valid() exists only
-- from PostgreSQL 16 on.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.read_uuids(p_text text)
RETURNS uuid[]
LANGUAGE plpgsql
IMMUTABLE
STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_uuids uuid[] := '{}';
    v_text text;
BEGIN
    IF vestige_sql.read_texts(p_text) IS NULL THEN
        RETURN NULL;
    END IF;
    FOREACH v_text IN ARRAY vestige_sql.read_texts(p_text) LOOP
        IF vestige_sql.read_uuid(v_text) IS NULL THEN
            RETURN NULL;
        END IF;
        v_uuids := v_uuids || vestige_sql.read_uuid(v_text);
    END LOOP;
    RETURN v_uuids;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.read_uuids FROM PUBLIC;
