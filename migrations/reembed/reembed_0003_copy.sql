-- The functions that read what SQLite keeps as text, for the steps of sql/copy.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe, each function is replaced by itself
-- Undo:         reembed_0003_copy.rollback.sql
--
-- depends: reembed_0001_schema
--
-- SQLite has no types for these, so that anything may stand there. Each read_ function gives NULL for what it cannot
-- read: a row with such a value is reported, and the rest of its batch moves. A cast would stop the batch, and
-- pg_input_is_valid() is there from PostgreSQL 16 on only.
--
-- They are called some forty times a row, so time counts: PL/pgSQL, for a call of a function in SQL that is not inlined
-- takes several times as long, and names in full, for a search_path that is set costs as much as the cast.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- functions are replaced without waiting for anybody

-- The usual form alone: uuid's own input takes braces and missing hyphens too.
CREATE OR REPLACE FUNCTION vestige_sql.read_uuid(p_text text)
RETURNS uuid
LANGUAGE plpgsql
IMMUTABLE
STRICT
AS $function$
BEGIN
    RETURN CASE WHEN p_text::pg_catalog.uuid::pg_catalog.text OPERATOR(pg_catalog.=) pg_catalog.lower(p_text) THEN p_text::pg_catalog.uuid END;
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION vestige_sql.read_number(p_text text)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
AS $function$
BEGIN
    RETURN p_text::double precision;
EXCEPTION
    WHEN invalid_text_representation OR numeric_value_out_of_range THEN
        RETURN NULL;
END
$function$;

-- A whole number, also where SQLite made a REAL of it.
CREATE OR REPLACE FUNCTION vestige_sql.read_integer(p_text text)
RETURNS integer
LANGUAGE plpgsql
IMMUTABLE
STRICT
AS $function$
DECLARE
    v_number double precision;
BEGIN
    v_number := p_text::double precision;
    RETURN CASE WHEN v_number OPERATOR(pg_catalog.=) pg_catalog.trunc(v_number) THEN v_number::integer END;
EXCEPTION
    WHEN invalid_text_representation OR numeric_value_out_of_range THEN
        RETURN NULL;
END
$function$;

-- RFC 3339, or as SQLite's own functions write it. Without a zone it is UTC. The server rounds to microseconds.
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

CREATE OR REPLACE FUNCTION vestige_sql.read_json(p_text text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
STRICT
AS $function$
BEGIN
    RETURN p_text::pg_catalog.jsonb;
EXCEPTION
    -- untranslatable_character is an escaped NUL, the last two are values that are too long or nested too deep
    WHEN invalid_text_representation OR untranslatable_character OR numeric_value_out_of_range
        OR program_limit_exceeded OR statement_too_complex THEN
        RETURN NULL;
END
$function$;

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

-- A JSON array of strings.
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

-- A JSON array of UUIDs.
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

-- What is wrong with a value, for people.
CREATE OR REPLACE FUNCTION vestige_sql.complaint(p_column text, p_wanted text, p_value text)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN format('%s is no %s: %s', p_column, p_wanted, coalesce(
        quote_literal(left(p_value, 60)) || CASE WHEN length(p_value) > 60 THEN '...' ELSE '' END, 'NULL'));
END
$function$;

-- A row's metadata: its own, and under their names the columns that have no place. What would be overwritten by a column,
-- or is no object, is kept under the name metadata.
CREATE OR REPLACE FUNCTION vestige_sql.merged_metadata(p_metadata text, p_columns text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_columns jsonb := coalesce(vestige_sql.read_json(p_columns), '{}');
    v_metadata jsonb := vestige_sql.read_json(p_metadata);
    v_overwritten jsonb;
BEGIN
    IF v_metadata IS NULL THEN
        RETURN v_columns;
    ELSIF jsonb_typeof(v_metadata) <> 'object' THEN
        RETURN v_columns || jsonb_build_object('metadata', v_metadata);
    END IF;
    SELECT jsonb_object_agg(m.key, m.value) INTO v_overwritten
    FROM jsonb_each(v_metadata) AS m
    WHERE v_columns ? m.key AND v_columns -> m.key <> m.value;
    RETURN v_metadata || v_columns
        || CASE WHEN v_overwritten IS NULL THEN '{}' ELSE jsonb_build_object('metadata', v_overwritten) END;
END
$function$;

REVOKE ALL ON FUNCTION
    vestige_sql.read_uuid,
    vestige_sql.read_number,
    vestige_sql.read_integer,
    vestige_sql.read_timestamp,
    vestige_sql.read_json,
    vestige_sql.read_object,
    vestige_sql.read_texts,
    vestige_sql.read_uuids,
    vestige_sql.complaint,
    vestige_sql.merged_metadata
FROM PUBLIC;
