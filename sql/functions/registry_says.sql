-- Return which model the registry names for a column, and whether it is known that this is the model of the column's vectors.
--
-- The registry knows a table by its oid and a column by its number. It is not known where the registry was written for another table
-- or column of this name, or came by dump and restore, or where Vestige's own registry names another model than was last written for
-- this column. probe/refusals/65_of_the_registry.sql says which. There is no row where no model is registered.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.registry_says(p_table regclass, p_column name, p_rows text DEFAULT '')
RETURNS TABLE (model_name text, dimension integer, model_hash text, is_known boolean)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_registry regclass := vestige_sql.registry_of(p_table, p_column);
    v_known record;
    v_named record;
    v_row jsonb;
BEGIN
    SELECT m.model_name, m.dimension, m.model_hash INTO v_known
    FROM vestige_sql.model m
    JOIN vestige_sql.home h ON h.id = m.home AND h.place = h.tableoid AND h.written_by = h.xmin
    JOIN pg_attribute a ON a.attrelid = m.table_oid AND a.attnum = m.column_number
    WHERE m.table_oid = p_table AND a.attname = p_column AND m.row_filter = p_rows;

    SELECT m.model_name, m.dimension, m.model_hash INTO v_named
    FROM vestige_sql.model m
    JOIN pg_namespace n ON n.nspname = m.table_schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = m.table_name
    WHERE c.oid = p_table AND m.column_name = p_column AND m.row_filter = p_rows
    ORDER BY m.id DESC
    LIMIT 1;

    IF v_registry IS NULL THEN
        is_known := v_known.model_hash IS NOT NULL;
        model_name := CASE WHEN is_known THEN v_known.model_name ELSE v_named.model_name END;
        dimension := CASE WHEN is_known THEN v_known.dimension ELSE v_named.dimension END;
        model_hash := CASE WHEN is_known THEN v_known.model_hash ELSE v_named.model_hash END;
    ELSE
        EXECUTE format('SELECT to_jsonb(m) FROM %s m WHERE m.id = 1', v_registry) INTO v_row;
        model_name := coalesce(v_row ->> 'model_name', v_row ->> 'name');
        dimension := (v_row ->> 'dimension')::integer;
        model_hash := coalesce(v_row ->> 'model_hash', v_row ->> 'hash');
        is_known := CASE
            WHEN v_known.model_hash IS NOT NULL
                THEN (v_known.model_name, v_known.dimension, v_known.model_hash) IS NOT DISTINCT FROM (model_name, dimension, model_hash)
            -- whatever the package has not written holds
            ELSE v_named.model_hash IS NULL END;
    END IF;

    IF model_hash IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.registry_says FROM PUBLIC;
