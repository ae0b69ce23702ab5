-- Read a number that SQLite keeps as text.
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

REVOKE ALL ON FUNCTION vestige_sql.read_number FROM PUBLIC;
