-- Return the statements that make the vector indexes of two columns change names.
--
-- vestige_sql.kept has the names of the live column's indexes. The index of the column that comes takes such a name. The
-- index of the column that goes takes the other name.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.swap_indexes(p_table regclass, p_coming name, p_going name)
RETURNS SETOF text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH indexes AS (
        SELECT DISTINCT c.relname::text AS name, a.attname
        FROM pg_depend d
        JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'i'
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table
          AND vestige_sql.is_vector_index(c.oid)
    )
    SELECT format('ALTER INDEX %I.%I RENAME TO %I', k.table_schema, s.was, s.becomes)
    FROM vestige_sql.kept k
    CROSS JOIN LATERAL unnest(k.index_names) AS live (name)
    CROSS JOIN vestige_sql.other_index_name(live.name) AS other (name)
    LEFT JOIN indexes coming ON coming.attname = p_coming AND coming.name = other.name
    LEFT JOIN indexes going ON going.attname = p_going AND going.name = live.name
    CROSS JOIN LATERAL (VALUES
        (1, going.name, vestige_sql.other_index_name(other.name)),
        (2, coming.name, live.name),
        (3, CASE WHEN going.name IS NOT NULL THEN vestige_sql.other_index_name(other.name) END, other.name)
    ) AS s (step, was, becomes)
    WHERE to_regclass(format('%I.%I', k.table_schema, k.table_name)) = p_table AND k.column_name IN (p_coming, p_going)
      AND s.was IS NOT NULL
    ORDER BY live.name, s.step
$function$;

REVOKE ALL ON FUNCTION vestige_sql.swap_indexes FROM PUBLIC;
