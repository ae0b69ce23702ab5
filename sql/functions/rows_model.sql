-- Return which model the vectors of some of a column's rows are of, from the registry that set_model() writes.
--
-- p_rows is the condition that chooses the rows, as the registry has it, and empty for all rows of a column.
--
-- There is no row where no model is registered. Nor is there one where it is not known any more whose vectors these are:
-- registry_says() says what the registry has.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.rows_model(p_table regclass, p_column name, p_rows text)
RETURNS TABLE (model_name text, dimension integer, model_hash text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT r.model_name, r.dimension, r.model_hash FROM vestige_sql.registry_says(p_table, p_column, p_rows) r WHERE r.is_known;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.rows_model FROM PUBLIC;
