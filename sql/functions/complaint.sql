-- Say for people what is wrong with a value.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

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

REVOKE ALL ON FUNCTION vestige_sql.complaint FROM PUBLIC;
