-- Return a vector that went through a map of the bridge: each row of weights times the vector, plus bias, in their order.
--
-- bridged() calls it. Where track_functions is pl or all, its calls in pg_stat_user_functions count the vectors that went through a
-- map. The vector must have as many dimensions as the map takes.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.bridge_through(
    p_bridge bigint, p_is_normalised boolean, p_vector vestige_sql.bridge_row.weights%TYPE)
RETURNS vestige_sql.bridge_row.weights%TYPE
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_entries double precision[];
    v_length double precision;
BEGIN
    -- pgvector's operator is in pgvector's schema, and gives the product with its sign changed
    EXECUTE format(
        'SELECT array_agg(m.entry ORDER BY m.nr), sqrt(sum(m.entry * m.entry)) FROM ('
        '  SELECT r.nr, r.bias - (r.weights OPERATOR(%I.<#>) $1) AS entry FROM vestige_sql.bridge_row r WHERE r.bridge = $2) m',
        (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'))
    INTO v_entries, v_length USING p_vector, p_bridge;
    -- a vector of length nought has no direction
    IF p_is_normalised AND v_length > 0 THEN
        v_entries := ARRAY(SELECT e.entry / v_length FROM unnest(v_entries) WITH ORDINALITY AS e (entry, nr) ORDER BY e.nr);
    END IF;
    RETURN v_entries;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.bridge_through FROM PUBLIC;
