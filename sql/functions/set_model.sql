-- Write which model a column's vectors are of.
--
-- For Vestige's own table, the model stands in the table embedding_model beside it. Its columns are called model_name and
-- model_hash. In databases made by Vestige itself they are called name and hash, and there is no updated_at. Any other
-- column has its row in vestige_sql.model.
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
DECLARE
    v_registry regclass := vestige_sql.registry_of(p_table, p_column);
    v_columns text[];
    v_name text;
    v_hash text;
    v_touch text := '';
    v_updated bigint;
BEGIN
    IF v_registry IS NULL THEN
        INSERT INTO vestige_sql.model AS m (table_schema, table_name, column_name, model_name, dimension, model_hash)
        SELECT n.nspname, c.relname, p_column, p_model_name, p_dimension, p_model_hash
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = p_table
        ON CONFLICT (table_schema, table_name, column_name) DO UPDATE
        SET model_name = excluded.model_name,
            dimension = excluded.dimension,
            model_hash = excluded.model_hash,
            updated_at = now();
        RETURN;
    END IF;

    SELECT array_agg(attname::text) INTO v_columns
    FROM pg_attribute WHERE attrelid = v_registry AND attnum > 0 AND NOT attisdropped;
    v_name := CASE WHEN 'model_name' = ANY (v_columns) THEN 'model_name' ELSE 'name' END;
    v_hash := CASE WHEN 'model_hash' = ANY (v_columns) THEN 'model_hash' ELSE 'hash' END;
    IF 'updated_at' = ANY (v_columns) THEN
        v_touch := ', updated_at = now()';
    END IF;

    EXECUTE format('UPDATE %s SET %I = $1, dimension = $2, %I = $3%s WHERE id = 1', v_registry, v_name, v_hash, v_touch)
    USING p_model_name, p_dimension, p_model_hash;
    GET DIAGNOSTICS v_updated = ROW_COUNT;
    IF v_updated = 0 THEN
        EXECUTE format('INSERT INTO %s (id, %I, dimension, %I) VALUES (1, $1, $2, $3)', v_registry, v_name, v_hash)
        USING p_model_name, p_dimension, p_model_hash;
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.set_model FROM PUBLIC;
