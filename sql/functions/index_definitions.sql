-- Return a column's vector indexes, each as the statement that builds it again for a new dimension.
--
-- rows_index_definitions() says what becomes of them. It also returns those of some rows alone.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.index_definitions(
    p_table regclass,
    p_column name,
    p_dimension integer,
    p_new_column name DEFAULT NULL
)
RETURNS TABLE (index_name text, definition text, index_comment text, built_as text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY SELECT d.* FROM vestige_sql.rows_index_definitions(p_table, p_column, p_dimension, p_new_column, '') AS d;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.index_definitions FROM PUBLIC;
