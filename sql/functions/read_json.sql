-- JSON that SQLite keeps as text.
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

REVOKE ALL ON FUNCTION vestige_sql.read_json FROM PUBLIC;
