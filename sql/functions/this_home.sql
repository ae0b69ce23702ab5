-- Return the row of vestige_sql.home that says of a row of the registry that it was written here.
--
-- It makes one where there is none. There is none where this schema came by dump and restore, and nothing was registered since.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.this_home()
RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_home uuid;
BEGIN
    SELECT h.id INTO v_home
    FROM vestige_sql.home h
    WHERE h.place = h.tableoid AND h.written_by = h.xmin
    ORDER BY h.made_at, h.id
    LIMIT 1;
    IF v_home IS NULL THEN
        INSERT INTO vestige_sql.home DEFAULT VALUES RETURNING id INTO v_home;
        -- both statements are of one (sub)transaction, and so the row has the same xmin after the second
        UPDATE vestige_sql.home SET place = tableoid, written_by = xmin WHERE id = v_home;
    END IF;
    RETURN v_home;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.this_home FROM PUBLIC;
