-- Return the vector indexes of a column of a table and of its partitions, as vestige_sql.rows_index_definitions() has those of one table.
--
-- partition_schema and partition_name say whose index it is, and are NULL for one of the table's own. attached_to is the
-- partitioned index that it is a part of, as SQL writes it, and NULL where it is a part of none: then DROP INDEX can name it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.all_indexes(
    p_table regclass,
    p_column name,
    p_dimension integer,
    p_new_column name DEFAULT NULL,
    p_rows text DEFAULT ''
)
RETURNS TABLE (
    partition_schema text, partition_name text, index_schema text, index_name text, definition text, index_comment text,
    built_as text, attached_to text, index_oid oid
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY SELECT
        CASE WHEN p.level > 0 THEN n.nspname::text END, CASE WHEN p.level > 0 THEN c.relname::text END, n.nspname::text,
        d.index_name, d.definition, d.index_comment, d.built_as,
        (SELECT format('%I.%I', an.nspname, a.relname)
         FROM pg_inherits h
         JOIN pg_class a ON a.oid = h.inhparent
         JOIN pg_namespace an ON an.oid = a.relnamespace
         WHERE h.inhrelid = i.oid),
        i.oid
    FROM vestige_sql.with_partitions(p_table) p
    JOIN pg_class c ON c.oid = p.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL vestige_sql.rows_index_definitions(p.relation, p_column, p_dimension, p_new_column, p_rows) d
    JOIN pg_class i ON i.relnamespace = n.oid AND i.relname = d.index_name;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.all_indexes FROM PUBLIC;
