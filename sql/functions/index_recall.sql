-- Measure how much of what an exact search finds a vector index finds (recall@k).
--
-- The index is used with the session's ef_search, probes or the like. The measure is the mean share over p_sample rows. Their vectors
-- stand in as questions, each without the row itself.
--
-- Neighbours count by their distance, as in the field's benchmarks (Aumueller, Bernhardsson, Faithfull: ANN-Benchmarks,
-- 2020). So one of several neighbours at the same distance counts as much as another. recall is NULL where there is nothing
-- to ask.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.index_recall(p_index regclass, p_id name, p_sample integer, p_k integer DEFAULT 10)
RETURNS TABLE (recall double precision, sampled integer)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = on
SET enable_sort = on
SET enable_indexscan = on
AS $function$
DECLARE
    v_table text;
    -- Where p_id is NULL, because the key has several columns, a row is told apart by its place. All queries see one snapshot.
    v_id text := coalesce(quote_ident(p_id), 'ctid');
    v_key text;
    v_distance text;
    v_predicate text;
    v_ids text[];
    v_questions text[];
    v_exact double precision[];
    v_found integer;
    v_of_its_rows text;
    v_sum double precision := 0;
BEGIN
    SELECT
        i.indrelid::regclass::text,
        pg_get_indexdef(i.indexrelid, 1, false),
        format('%s OPERATOR(%I.%s) $1::%s', pg_get_indexdef(i.indexrelid, 1, false), n.nspname, o.oprname,
            format_type(a.atttypid, a.atttypmod)),
        coalesce(pg_get_expr(i.indpred, i.indrelid), 'true')
    INTO STRICT v_table, v_key, v_distance, v_predicate
    FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = 1
    JOIN pg_opclass c ON c.oid = i.indclass[0]
    JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amoppurpose = 'o' AND p.amoplefttype = c.opcintype
    JOIN pg_operator o ON o.oid = p.amopopr
    JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE i.indexrelid = p_index
    ORDER BY p.amopstrategy
    LIMIT 1;

    -- A server may look at the key before the predicate, and other rows may have vectors that do not fit the key's cast.
    v_key := format('CASE WHEN %s THEN %s END', v_predicate, v_key);
    v_of_its_rows := format('CASE WHEN %s THEN %s END', v_predicate, v_distance);
    -- the sample is drawn before its vectors are read
    EXECUTE format(
        'SELECT array_agg(%1$s::text), array_agg((%2$s)::text) FROM %3$s WHERE ctid = ANY (ARRAY('
        '  SELECT ctid FROM %3$s WHERE (%4$s) AND (%2$s) IS NOT NULL'
        '  ORDER BY hashtextextended(%1$s::text, 0) LIMIT $1))',
        v_id, v_key, v_table, v_predicate)
    INTO v_ids, v_questions USING p_sample;

    sampled := 0;
    FOR i IN 1 .. coalesce(cardinality(v_questions), 0) LOOP
        -- the index does not serve an order by the distance and nought
        PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true);
        EXECUTE format(
            'SELECT array_agg(n.distance ORDER BY n.distance) FROM ('
            '  SELECT %1$s AS distance FROM %2$s WHERE (%4$s) AND (%3$s) IS NOT NULL AND %5$s::text <> $2'
            '  ORDER BY (%1$s) + 0 LIMIT $3) n',
            v_of_its_rows, v_table, v_key, v_predicate, v_id)
        INTO v_exact USING v_questions[i], v_ids[i], p_k;
        CONTINUE WHEN v_exact IS NULL;

        -- nor may another index find the rows of the predicate, to be sorted
        PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
        EXECUTE format(
            'SELECT count(*) FROM ('
            '  SELECT %1$s AS distance FROM %2$s WHERE (%3$s) AND %4$s::text <> $2 ORDER BY %1$s LIMIT $3) n'
            '  WHERE n.distance <= $4',
            v_distance, v_table, v_predicate, v_id)
        INTO v_found USING v_questions[i], v_ids[i], p_k, v_exact[cardinality(v_exact)];
        v_sum := v_sum + v_found::double precision / cardinality(v_exact);
        sampled := sampled + 1;
    END LOOP;
    recall := v_sum / nullif(sampled, 0);
    RETURN NEXT;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.index_recall FROM PUBLIC;
