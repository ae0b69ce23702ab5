-- Return the CHECK constraints that are about one column alone, and what each says of another column.
--
-- p_dimension is the other column's. Where a constraint says vector_dims(..) = N, it says that dimension there. is_kept is false if it
-- also says the column's own dimension elsewhere. changes is true if it says another one than before. made_as is what the other column's constraint is called until it takes the name.
--
-- A second column is NULL at first, or has the placeholder. denies_null and denies_placeholder say whether the
-- constraint keeps these out. fails says that it cannot be asked of a vector of that dimension.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.column_checks(p_table regclass, p_from name, p_to name, p_dimension integer)
RETURNS TABLE (
    check_name text, definition text, is_kept boolean, is_valid boolean, said text, made_as text, is_made boolean,
    denies_null boolean, denies_placeholder boolean, fails boolean, changes boolean
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v record;
    v_says text;
BEGIN
    FOR v IN
        SELECT
            c.oid, c.conname, c.convalidated, c.connoinherit, nullif(a.atttypmod, -1) AS dimension,
            pg_get_expr(c.conbin, c.conrelid) AS says, a.atttypid::regtype AS type,
            -- the name as it stands in a regular expression
            regexp_replace(quote_ident(a.attname), '([^\w])', '\\\1', 'g') AS name
        FROM pg_attribute a
        JOIN pg_constraint c ON c.conrelid = a.attrelid AND c.contype = 'c' AND c.conkey = ARRAY[a.attnum]
        WHERE a.attrelid = p_table AND a.attname = p_from AND NOT a.attisdropped
        ORDER BY c.conname
    LOOP
        v_says := regexp_replace(v.says,
            format('(\mvector_dims\(\(*%s(?:\)*::[\w."]+)?\)+ = )%s\M', v.name, coalesce(v.dimension::text, '\d+')),
            '\1' || coalesce(p_dimension, v.dimension), 'g');
        check_name := v.conname;
        is_kept := coalesce(v.dimension = p_dimension OR v_says !~ format('\m%s\M', v.dimension), true);
        changes := is_kept AND v_says <> v.says;
        v_says := vestige_sql.rename_column(v_says, p_from, p_to);
        definition := format('CHECK (%s)%s', v_says, CASE WHEN v.connoinherit THEN ' NO INHERIT' ELSE '' END);
        is_valid := v.convalidated;
        said := obj_description(v.oid, 'pg_constraint');
        made_as := CASE WHEN octet_length(v.conname) <= 40 THEN v.conname || '_' ELSE '' END
            || vestige_sql.other_index_name(v.conname::text);
        is_made := EXISTS (SELECT FROM pg_constraint m WHERE m.conrelid = p_table AND m.conname = made_as);
        denies_null := NULL;
        denies_placeholder := NULL;
        fails := false;
        IF is_kept AND p_dimension IS NOT NULL THEN
            BEGIN
                EXECUTE format(
                    'SELECT (SELECT (%1$s) IS FALSE FROM (SELECT CAST(NULL AS %2$s) AS %3$I) AS x),'
                    ' (SELECT (%1$s) IS FALSE FROM (SELECT CAST(%4$L AS %2$s) AS %3$I) AS x)',
                    v_says, v.type, p_to, vestige_sql.placeholder(p_dimension))
                INTO denies_null, denies_placeholder;
            EXCEPTION WHEN OTHERS THEN
                -- such as a distance from a vector of the former dimension
                fails := true;
            END;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.column_checks FROM PUBLIC;
