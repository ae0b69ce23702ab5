-- Write of which columns an expression is whose texts a column's vectors were made from, once set_text() has written the expression.
--
-- The columns stand in it by their numbers, whatever they are called.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.set_expression(p_table regclass, p_column name, p_numbered text, p_rows text)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    UPDATE vestige_sql.model m
    SET content_numbered = nullif(p_numbered, '')
    FROM vestige_sql.home h, pg_attribute a
    WHERE h.id = m.home AND h.place = h.tableoid AND h.written_by = h.xmin
      AND a.attrelid = p_table AND a.attname = p_column
      AND m.table_oid = a.attrelid AND m.column_number = a.attnum AND m.row_filter = p_rows
$function$;

REVOKE ALL ON FUNCTION vestige_sql.set_expression FROM PUBLIC;
