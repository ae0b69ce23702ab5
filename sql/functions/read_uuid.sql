-- Read a UUID that SQLite keeps as text, in the usual form alone.
--
-- The input of type uuid also takes braces and missing hyphens.
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

REVOKE ALL ON FUNCTION vestige_sql.read_uuid FROM PUBLIC;
