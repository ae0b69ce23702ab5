-- Return the row of vestige_sql.worker that is about a column, NULL where there is none.
--
-- The worker knows the table by its oid and the column by its number, whatever they are called. After a switch another column has the
-- name, and the former one is kept, or gone, or a run's own: the worker goes on with the one that has the name.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.worker_of(p_table regclass, p_column name)
RETURNS bigint
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT w.id
    FROM vestige_sql.worker w
    JOIN vestige_sql.home h ON h.id = w.home AND h.place = h.tableoid AND h.written_by = h.xmin
    JOIN pg_attribute a ON a.attrelid = p_table AND a.attname = p_column AND NOT a.attisdropped
    LEFT JOIN pg_attribute former ON former.attrelid = w.table_oid AND former.attnum = w.column_number AND NOT former.attisdropped
    WHERE w.table_oid = p_table
      AND (w.column_number = a.attnum
          OR w.column_name = p_column AND (former.attnum IS NULL OR former.attname ~ '^(former_)?embedding_[0-9a-f]{16}$'))
    ORDER BY w.column_number = a.attnum DESC, w.id DESC
    LIMIT 1
$function$;

REVOKE ALL ON FUNCTION vestige_sql.worker_of FROM PUBLIC;
