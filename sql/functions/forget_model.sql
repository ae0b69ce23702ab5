-- Forget which model a column's vectors are of, because nobody knows it.
--
-- p_rows is the condition that chooses the rows, as the registry has it, and empty for all rows of a column.
--
-- The next re-embedding then embeds every row anew, as where no model was ever registered.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.forget_model(p_table regclass, p_column name, p_rows text DEFAULT '')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_registry regclass := vestige_sql.registry_of(p_table, p_column);
BEGIN
    DELETE FROM vestige_sql.model m
    WHERE m.row_filter = p_rows AND (EXISTS (
        SELECT FROM pg_attribute a
        WHERE a.attrelid = p_table AND a.attname = p_column AND a.attrelid = m.table_oid AND a.attnum = m.column_number
    ) OR EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = p_table AND n.nspname = m.table_schema AND c.relname = m.table_name AND m.column_name = p_column
    ));
    IF v_registry IS NOT NULL AND p_rows = '' THEN
        EXECUTE format('DELETE FROM %s WHERE id = 1', v_registry);
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.forget_model FROM PUBLIC;
