-- Return the table embedding_model that registers a column's model.
--
-- Vestige's own table has one beside it. The result is NULL for any other column, whose model is in vestige_sql.model.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.registry_of(p_table regclass, p_column name)
RETURNS regclass
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT to_regclass(format('%I.embedding_model', n.nspname))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = p_table AND c.relname = 'knowledge_nodes' AND p_column = 'embedding'
$function$;

REVOKE ALL ON FUNCTION vestige_sql.registry_of FROM PUBLIC;
