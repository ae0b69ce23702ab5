-- Return a vector in the space of a table's live vectors, from a vector of the live model or of one that has a map to it.
--
-- A vector of the live model comes back as it is. Which model a vector is of is told by its dimension. Where several models have that
-- dimension, p_model names the one, or gives its hash where the names are the same too. p_column names the column of vectors
-- where several have a model. What is ambiguous, and what belongs to no model, is an error. NULL gives NULL.
--
-- So one statement serves before, during and after a switch, and uses the index:
--   SELECT .. ORDER BY embedding <=> (SELECT vestige_sql.bridged('app.documents', $1)) LIMIT 10
-- It is for questions alone. A vector that is stored is always its model's own. docs/privileges.md has the rights that a role needs.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.bridged(
    p_table regclass, p_vector vestige_sql.bridge_row.weights%TYPE, p_model text DEFAULT NULL, p_column name DEFAULT NULL)
RETURNS vestige_sql.bridge_row.weights%TYPE
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- pgvector's cast to an array needs no schema
    v_dimension integer := cardinality(p_vector::real[]);
    v_columns text[];
    v_models text[];
    v_fitting text[];
    v_bridge bigint;
    v_is_normalised boolean;
BEGIN
    IF p_vector IS NULL THEN
        RETURN NULL;
    END IF;
    WITH live AS MATERIALIZED (
        SELECT a.attname, n.nspname, c.relname, m.model_name, m.dimension, m.model_hash
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_type t ON t.oid = a.atttypid AND t.typname IN ('vector', 'halfvec')
        CROSS JOIN LATERAL vestige_sql.registered_model(p_table, a.attname) m
        WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND (p_column IS NULL OR a.attname = p_column)
    ),
    spaces AS (
        SELECT NULL::bigint AS bridge, NULL::boolean AS is_normalised, l.model_name, l.dimension, l.model_hash,
            format('%s (%s dimensions, hash %s), the registered one', l.model_name, l.dimension, left(l.model_hash, 12)) AS said
        FROM live l
        UNION ALL
        SELECT b.id, b.is_normalised, b.from_name, b.from_dimension, b.from_hash,
            format('%s (%s dimensions, hash %s), by a map', b.from_name, b.from_dimension, left(b.from_hash, 12))
        FROM live l
        JOIN vestige_sql.bridge b
            ON b.table_schema = l.nspname AND b.table_name = l.relname AND b.column_name = l.attname AND b.dropped_at IS NULL
            AND b.to_hash = l.model_hash AND b.to_dimension = l.dimension AND b.to_name = l.model_name
    ),
    told AS (
        SELECT s.*, s.dimension = v_dimension AND (p_model IS NULL OR p_model IN (s.model_name, s.model_hash)) AS fits
        FROM spaces s
    )
    SELECT
        (SELECT array_agg(l.attname::text ORDER BY l.attname) FROM live l),
        array_agg(t.said ORDER BY t.bridge NULLS FIRST), array_agg(t.said ORDER BY t.bridge NULLS FIRST) FILTER (WHERE t.fits),
        min(t.bridge) FILTER (WHERE t.fits), bool_and(t.is_normalised) FILTER (WHERE t.fits)
    INTO v_columns, v_models, v_fitting, v_bridge, v_is_normalised
    FROM told t;

    IF cardinality(v_columns) = 1 AND cardinality(v_fitting) = 1 THEN
        IF v_bridge IS NULL THEN
            RETURN p_vector;
        END IF;
        RETURN vestige_sql.bridge_through(v_bridge, v_is_normalised, p_vector);
    END IF;

    PERFORM
        vestige_sql.require(
            cardinality(v_columns) > 0,
            format('no model is registered for %s%s', p_table, '.' || quote_ident(p_column)),
            'nothing was searched for; register it: vestige-sql migrate register --table .. --model ..'),
        vestige_sql.require(
            cardinality(v_columns) = 1,
            format('several columns of %s have a model: %s', p_table, array_to_string(v_columns, ', ')),
            'nothing was searched for; name the one that is searched: vestige_sql.bridged(.., p_column => ''..'')'),
        vestige_sql.require(
            cardinality(v_fitting) > 0,
            format('a vector of %s dimensions%s cannot be searched with in %s, whose models are: %s',
                v_dimension, ' of the model ' || p_model, p_table, array_to_string(v_models, '; ')),
            'nothing was searched for; a map from another model is made while its vectors are staged, by vestige-sql migrate bridge'),
        vestige_sql.require(
            cardinality(v_fitting) = 1,
            format('a vector of %s dimensions may be of several models of %s: %s', v_dimension, p_table, array_to_string(v_fitting, '; ')),
            'nothing was searched for; say which: vestige_sql.bridged(.., .., ''NAME''), or its whole hash where the names are the same');
    RETURN NULL;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.bridged FROM PUBLIC;
