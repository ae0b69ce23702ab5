-- Return the columns of a table that have a registered model, with the model of each, and how it makes vectors.
--
-- Applications ask it which model a question has to be encoded with: SELECT * FROM vestige_sql.registered('app.documents').
-- row_filter is the condition that chooses the rows that are meant, and empty for all. encoding has the model's prompts, length and file as they were recorded, NULL where they were not. docs/privileges.md has
-- the rights that a role needs for it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.registered(p_table regclass)
RETURNS TABLE (column_name name, model_name text, dimension integer, model_hash text, encoding jsonb, row_filter text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT a.attname, m.model_name, m.dimension, m.model_hash, (
        SELECT e.settings
        FROM vestige_sql.encoding e
        WHERE e.model_name = m.model_name AND e.dimension = m.dimension AND e.model_hash = m.model_hash
        ORDER BY (e.table_schema, e.table_name, e.column_name) = (n.nspname, c.relname, a.attname) DESC, e.recorded_at DESC
        LIMIT 1), f.row_filter
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid AND t.typname IN ('vector', 'halfvec')
    CROSS JOIN LATERAL (
        SELECT ''::text AS row_filter
        UNION
        SELECT x.row_filter FROM vestige_sql.model x WHERE x.table_oid = a.attrelid AND x.column_number = a.attnum
    ) AS f
    CROSS JOIN LATERAL vestige_sql.rows_model(p_table, a.attname, f.row_filter) m
    WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum, f.row_filter;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.registered FROM PUBLIC;
