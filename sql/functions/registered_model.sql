-- Return which model a column's vectors are of, from the registry that set_model() writes.
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

-- squawk-ignore-file ban-drop-function -- its arguments are others than those of version 0.1.0
DROP FUNCTION IF EXISTS vestige_sql.registered_model(regclass, name);

CREATE OR REPLACE FUNCTION vestige_sql.registered_model(p_table regclass, p_column name, p_rows text DEFAULT '')
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

REVOKE ALL ON FUNCTION vestige_sql.registered_model FROM PUBLIC;
