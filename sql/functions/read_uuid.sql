-- A UUID that SQLite keeps as text, in the usual form alone: uuid's own input takes braces and missing hyphens too.
--
-- NULL for what it cannot read, for a cast would stop the batch, and pg_input_is_valid() is there from PostgreSQL 16 on only.
--
-- Called some forty times a row, so time counts: PL/pgSQL, for a call of a function in SQL that is not inlined takes several times
-- as long, and names in full, for a search_path that is set costs as much as the cast.
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
