-- Return which model a column's vectors are of, from the registry that set_model() writes.
--
-- There is no row where no model is registered.
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
DECLARE
    v_registry regclass := vestige_sql.registry_of(p_table, p_column);
    v_row jsonb;
BEGIN
    IF v_registry IS NULL THEN
        RETURN QUERY
            SELECT m.model_name, m.dimension, m.model_hash
            FROM vestige_sql.model m
            JOIN pg_namespace n ON n.nspname = m.table_schema
            JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = m.table_name
            WHERE c.oid = p_table AND m.column_name = p_column;
        RETURN;
    END IF;

    EXECUTE format('SELECT to_jsonb(m) FROM %s m WHERE m.id = 1', v_registry) INTO v_row;
    model_name := coalesce(v_row ->> 'model_name', v_row ->> 'name');
    dimension := (v_row ->> 'dimension')::integer;
    model_hash := coalesce(v_row ->> 'model_hash', v_row ->> 'hash');
    IF model_hash IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.registered_model FROM PUBLIC;
