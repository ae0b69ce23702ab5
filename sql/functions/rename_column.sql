-- Return an expression as pg_get_expr() prints it, with one column's name in place of another's.
--
-- Strings stay as they are. So do the names of types, functions, schemas and collations, which may be the same as the
-- column's.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.rename_column(p_expression text, p_from name, p_to name)
RETURNS text
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT string_agg(CASE WHEN token[1] = quote_ident(p_from) THEN quote_ident(p_to) ELSE token[1] END, '' ORDER BY place)
    FROM regexp_matches(
        p_expression,
        -- a string; a name with what says that it is no column's; any other character
        $token$('(?:[^']|'')*'|(?:::|\.|COLLATE )?(?:\w+|"(?:[^"]|"")*")(?:\.(?:\w+|"(?:[^"]|"")*"))*[(.]?|[^\w'"])$token$,
        'g') WITH ORDINALITY AS t (token, place)
$function$;

REVOKE ALL ON FUNCTION vestige_sql.rename_column FROM PUBLIC;
