-- Read a time, as RFC 3339 or SQLite's own functions write it.
--
-- A time without a zone is UTC. The server rounds to microseconds.
--
-- The result is NULL for what the function cannot read. A cast would stop the batch, and pg_input_is_valid() exists only
-- from PostgreSQL 16 on.
--
-- A row calls these functions some forty times, so time counts. The function is in PL/pgSQL, since a call of an SQL function
-- that is not inlined takes several times as long. Names are written in full, since setting a search_path costs as much as
-- the cast.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.read_timestamp(p_text text)
RETURNS timestamptz
LANGUAGE plpgsql
STABLE
STRICT
AS $function$
DECLARE
    v_time pg_catalog.text;
BEGIN
    IF p_text OPERATOR(pg_catalog.!~~) '____-__-__%' THEN
        RETURN NULL;
    END IF;
    -- a zone is Z, UTC or an offset; T is none
    v_time := pg_catalog.substr(p_text, 11);
    IF pg_catalog.translate(v_time, 'Zz+-U', '') OPERATOR(pg_catalog.<>) v_time THEN
        RETURN p_text::pg_catalog.timestamptz;
    END IF;
    RETURN pg_catalog.concat(p_text, CASE WHEN v_time OPERATOR(pg_catalog.=) '' THEN ' 00:00Z' ELSE 'Z' END)::pg_catalog.timestamptz;
EXCEPTION
    WHEN datetime_field_overflow OR invalid_datetime_format OR invalid_time_zone_displacement_value
        OR invalid_parameter_value THEN
        RETURN NULL;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.read_timestamp FROM PUBLIC;
