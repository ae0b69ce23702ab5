-- Take a person's word that this whole database came from one dump, so that what its registry says is true of its tables.
--
-- What the registry has of before is then about the columns that have these names now. The result is the columns whose model is known
-- by it. Where table and registry may be of different moments, register each column instead: vestige-sql migrate register.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.came_in_one_piece()
RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_home uuid := vestige_sql.this_home();
    v_homes uuid[] := ARRAY(SELECT h.id FROM vestige_sql.home h WHERE h.place = h.tableoid AND h.written_by = h.xmin);
BEGIN
    UPDATE vestige_sql.run r
    SET home = v_home, table_oid = a.attrelid, column_number = a.attnum
    FROM pg_namespace n
    JOIN pg_class c ON c.relnamespace = n.oid
    JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
    WHERE (r.home = ANY (v_homes)) IS NOT TRUE
      AND n.nspname = r.table_schema AND c.relname = r.table_name AND a.attname = r.column_name;

    UPDATE vestige_sql.kept k
    SET home = v_home, table_oid = c.oid
    FROM pg_namespace n
    JOIN pg_class c ON c.relnamespace = n.oid
    WHERE (k.home = ANY (v_homes)) IS NOT TRUE AND n.nspname = k.table_schema AND c.relname = k.table_name;

    -- a dump has the trigger as it was, and not the transaction that made it
    UPDATE vestige_sql.kept k
    SET guard = g.xmin
    FROM vestige_sql.run r, pg_trigger g
    WHERE k.home = v_home AND k.guard IS NOT NULL AND k.place = 'column' AND r.id = k.run_id
      AND g.tgrelid = k.table_oid AND g.tgname = r.variables ->> 'keep_trigger' AND g.tgenabled = 'A';

    RETURN QUERY
        UPDATE vestige_sql.model m
        SET home = v_home, table_oid = a.attrelid, column_number = a.attnum,
            -- a dump leaves out the numbers of columns that were dropped
            content_numbered = CASE WHEN m.content_numbered <> '' THEN '' END,
            content_number = (
                SELECT t.attnum FROM pg_attribute t
                WHERE t.attrelid = a.attrelid AND t.attname::text = m.content_column AND t.attnum > 0 AND NOT t.attisdropped)
        FROM pg_namespace n
        JOIN pg_class c ON c.relnamespace = n.oid
        JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
        WHERE (m.home = ANY (v_homes)) IS NOT TRUE
          AND n.nspname = m.table_schema AND c.relname = m.table_name AND a.attname = m.column_name
          AND m.id = (
              SELECT max(x.id) FROM vestige_sql.model x
              WHERE (x.table_schema, x.table_name, x.column_name) = (m.table_schema, m.table_name, m.column_name))
        RETURNING format('%I.%I.%I', m.table_schema, m.table_name, m.column_name);
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.came_in_one_piece FROM PUBLIC;
