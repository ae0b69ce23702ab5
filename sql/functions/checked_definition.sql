-- Return the definition of a saved index, once it is sure that it is one and that a trusted role wrote it.
--
-- The definition is run as it is. So it must be one CREATE INDEX on the very table and nothing else, and its author must be a role that
-- this one trusts, or one that could act as the table's owner.
--
-- The index may be a partition's. Where that is no partition of the table any more, there is nothing to build, and the result is NULL.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.checked_definition(p_saved vestige_sql.saved_index)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_table text := format('%I.%I', p_saved.table_schema, p_saved.table_name);
    -- whose index it is: the table's, or a partition's
    v_on text := CASE WHEN p_saved.partition_name IS NULL THEN v_table
        ELSE format('%I.%I', p_saved.partition_schema, p_saved.partition_name) END;
    v_author oid := to_regrole(quote_ident(p_saved.saved_by));
    -- what stands outside of strings and quoted names
    v_bare text := regexp_replace(
        p_saved.definition, $re$\m[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"$re$, 'x', 'g');
BEGIN
    IF NOT coalesce(vestige_sql.trusts(v_author, to_regclass(v_table)), false) THEN
        RAISE EXCEPTION 'role % wrote the definition of index % of % into vestige_sql.saved_index, and role % does not trust it',
            quote_ident(p_saved.saved_by), quote_ident(p_saved.index_name), v_table, quote_ident(current_user)
            USING ERRCODE = 'VS001', HINT = format(
                'nothing was changed; look at the row, and then DELETE FROM vestige_sql.saved_index WHERE table_schema = %L AND table_name = %L AND '
                'index_name = %L, and create the index yourself where it is wanted',
                p_saved.table_schema, p_saved.table_name, p_saved.index_name);
    END IF;
    IF p_saved.partition_name IS NOT NULL AND NOT EXISTS (
        SELECT FROM vestige_sql.with_partitions(to_regclass(v_table)) p WHERE p.relation = to_regclass(v_on))
    THEN
        RETURN NULL;
    END IF;
    IF v_bare ~ $re$[;$\\'"]|--|/\*$re$ OR NOT EXISTS (
        SELECT FROM pg_am am
        WHERE am.amtype = 'i'
          AND (am.amname IN ('hnsw', 'ivfflat') OR EXISTS (
              -- one that orders vectors, as vestige_sql.is_vector_index() has it
              SELECT FROM pg_amop ao
              JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = ao.amoplefttype AND d.refclassid = 'pg_extension'::regclass
              JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'vector'
              WHERE ao.amopmethod = am.oid AND ao.amoppurpose = 'o'))
          AND starts_with(p_saved.definition, format('CREATE INDEX %I ON %s%s USING %I (', p_saved.built_as,
              CASE (SELECT c.relkind FROM pg_class c WHERE c.oid = to_regclass(v_on)) WHEN 'p' THEN 'ONLY ' ELSE '' END, v_on, am.amname)))
    THEN
        RAISE EXCEPTION 'the definition of index % of % in vestige_sql.saved_index is not one CREATE INDEX on that table',
            quote_ident(p_saved.index_name), v_table
            USING ERRCODE = 'VS001', HINT = format(
                'nothing was changed; look at the row, and then DELETE FROM vestige_sql.saved_index WHERE table_schema = %L AND table_name = %L AND '
                'index_name = %L, and create the index yourself where it is wanted',
                p_saved.table_schema, p_saved.table_name, p_saved.index_name);
    END IF;
    RETURN p_saved.definition;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.checked_definition FROM PUBLIC;
