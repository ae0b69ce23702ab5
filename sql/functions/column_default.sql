-- Return a column's default, and what it says where the column has another dimension.
--
-- The dimension may stand in array_fill(.., ARRAY[N]), vector(N) or halfvec(N). is_kept is false if it stands elsewhere too, as in a
-- vector that is written out. There is no row where there is no default.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.column_default(p_table regclass, p_column name, p_dimension integer)
RETURNS TABLE (definition text, is_kept boolean)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT x.says_now, coalesce(d.dimension = p_dimension OR x.says_now !~ format('\m%s\M', d.dimension), true)
    FROM (
        SELECT nullif(a.atttypmod, -1) AS dimension, pg_get_expr(o.adbin, o.adrelid) AS says
        FROM pg_attribute a
        JOIN pg_attrdef o ON o.adrelid = a.attrelid AND o.adnum = a.attnum
        WHERE a.attrelid = p_table AND a.attname = p_column AND NOT a.attisdropped AND a.attgenerated = ''
    ) AS d
    CROSS JOIN LATERAL (
        SELECT CASE WHEN p_dimension IS NULL OR d.dimension IS NULL THEN d.says ELSE regexp_replace(
            d.says, format('(ARRAY\[|\m(?:vector|halfvec)"?\()%s(?=[\])])', d.dimension), '\1' || p_dimension, 'g') END AS says_now
    ) AS x
$function$;

REVOKE ALL ON FUNCTION vestige_sql.column_default FROM PUBLIC;
