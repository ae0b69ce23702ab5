-- Write which column's texts a column's vectors were made from, once set_model() has written of which model they are.
--
-- The column is known by its number, whatever it is called.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.set_text(p_table regclass, p_column name, p_content text, p_rows text DEFAULT '')
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    UPDATE vestige_sql.model m
    SET content_column = p_content,
        content_number = (
            SELECT t.attnum FROM pg_attribute t
            WHERE t.attrelid = p_table AND t.attname::text = p_content AND t.attnum > 0 AND NOT t.attisdropped)
    FROM vestige_sql.home h, pg_attribute a
    WHERE h.id = m.home AND h.place = h.tableoid AND h.written_by = h.xmin
      AND a.attrelid = p_table AND a.attname = p_column
      AND m.table_oid = a.attrelid AND m.column_number = a.attnum AND m.row_filter = p_rows
$function$;

REVOKE ALL ON FUNCTION vestige_sql.set_text FROM PUBLIC;
