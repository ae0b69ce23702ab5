-- Write which model a column's vectors are of, or those of some of its rows.
--
-- p_rows is the condition that chooses these rows, and empty for all. The condition is not carried out here.
--
-- For Vestige's own table, the model stands in the table embedding_model beside it. Its columns are called model_name and
-- model_hash. In databases made by Vestige itself they are called name and hash, and there is no updated_at. Any column has its row
-- in vestige_sql.model, which knows the table by its oid and the column by its number, whatever they are called. set_text() writes what
-- the vectors were made from.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.set_rows_model(
    p_table regclass,
    p_column name,
    p_model_name text,
    p_dimension integer,
    p_model_hash text,
    p_rows text
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_registry regclass := vestige_sql.registry_of(p_table, p_column);
    v_home uuid := vestige_sql.this_home();
    v_homes uuid[] := ARRAY(SELECT h.id FROM vestige_sql.home h WHERE h.place = h.tableoid AND h.written_by = h.xmin);
    v_schema name;
    v_table name;
    v_number smallint;
    v_columns text[];
    v_name text;
    v_hash text;
    v_touch text := '';
    v_updated bigint;
BEGIN
    SELECT n.nspname, c.relname, a.attnum INTO STRICT v_schema, v_table, v_number
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = p_column AND NOT a.attisdropped
    WHERE c.oid = p_table;

    IF p_rows = '' AND EXISTS (
        SELECT FROM vestige_sql.model m
        WHERE m.home = ANY (v_homes) AND m.table_oid = p_table AND m.column_number = v_number AND m.row_filter <> '')
    THEN
        RAISE EXCEPTION '% has a registered model for some of its rows, and so none for all of them', format('%I.%I.%I', v_schema, v_table, p_column)
            USING ERRCODE = 'VS001', HINT = 'nothing was changed; vestige_sql.registered() lists the models, and '
                'SELECT vestige_sql.forget_model(table, column, row_filter) has one forgotten';
    END IF;
    IF p_rows <> '' AND EXISTS (
        SELECT FROM vestige_sql.model m
        WHERE m.home = ANY (v_homes) AND m.table_oid = p_table AND m.column_number = v_number AND m.row_filter = '')
    THEN
        RAISE EXCEPTION '% has one registered model for all of its rows, and so none for some of them', format('%I.%I.%I', v_schema, v_table, p_column)
            USING ERRCODE = 'VS001', HINT = 'nothing was changed; SELECT vestige_sql.forget_model(table, column) has it forgotten';
    END IF;

    -- The row of this very column, whatever it was called then. Or a row of this name whose column is gone, is in another database, or is
    -- a run's own second column by now.
    UPDATE vestige_sql.model m
    SET table_schema = v_schema, table_name = v_table, column_name = p_column,
        home = v_home, table_oid = p_table, column_number = v_number,
        model_name = p_model_name, dimension = p_dimension, model_hash = p_model_hash,
        content_column = NULL, content_number = NULL, content_numbered = NULL, updated_at = now()
    WHERE m.id = (
        SELECT x.id
        FROM vestige_sql.model x
        LEFT JOIN pg_attribute a ON x.home = ANY (v_homes) AND a.attrelid = x.table_oid AND a.attnum = x.column_number AND NOT a.attisdropped
        WHERE x.row_filter = p_rows
          AND (a.attrelid = p_table AND a.attnum = v_number
           OR x.table_schema = v_schema AND x.table_name = v_table AND x.column_name = p_column
               AND (a.attnum IS NULL OR a.attname ~ '^(former_)?embedding_[0-9a-f]{16}$'))
        ORDER BY (a.attrelid = p_table AND a.attnum = v_number) IS TRUE DESC, x.id DESC
        LIMIT 1);
    IF NOT FOUND THEN
        INSERT INTO vestige_sql.model (
            table_schema, table_name, column_name, home, table_oid, column_number, model_name, dimension, model_hash,
            row_filter)
        VALUES (v_schema, v_table, p_column, v_home, p_table, v_number, p_model_name, p_dimension, p_model_hash, p_rows);
    END IF;
    IF v_registry IS NULL THEN
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

REVOKE ALL ON FUNCTION vestige_sql.set_rows_model FROM PUBLIC;
