-- Write which model a column's vectors are of, all of them.
--
-- set_rows_model() does it, for some rows too.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.set_model(
    p_table regclass,
    p_column name,
    p_model_name text,
    p_dimension integer,
    p_model_hash text
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM vestige_sql.set_rows_model(p_table, p_column, p_model_name, p_dimension, p_model_hash, '');
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.set_model FROM PUBLIC;
