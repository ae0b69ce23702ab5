-- Return which model a column's vectors are of, from the registry that set_model() writes.
--
-- There is no row where no model is registered for all rows of the column. Nor is there one where it is not known any more whose
-- vectors these are: registry_says() says what the registry has. rows_model() says it of some rows.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.registered_model(p_table regclass, p_column name)
RETURNS TABLE (model_name text, dimension integer, model_hash text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT r.model_name, r.dimension, r.model_hash FROM vestige_sql.registry_says(p_table, p_column) r WHERE r.is_known;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.registered_model FROM PUBLIC;
