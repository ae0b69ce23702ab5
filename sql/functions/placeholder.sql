-- Return the vector, as text, that a row of a NOT NULL column has until its own is made: of length one, along the first dimension.
--
-- Its length is that of most models' vectors, so that a CHECK about the length lets it in.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.placeholder(p_dimension integer)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT '[1' || repeat(',0', p_dimension - 1) || ']'
$function$;

REVOKE ALL ON FUNCTION vestige_sql.placeholder FROM PUBLIC;
