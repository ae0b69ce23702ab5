-- Measure an index with a judging's questions, for each of some search settings: recall@10, and the p50 and p95 of a search.
--
-- p_space says which of the questions' vectors are asked: old or new. At most 100 questions are asked, and where rows stand in for
-- them their vectors. Neighbours count by their distance, as in index_recall(). Each question is asked once before it is timed,
-- so that what it reads lies in memory.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.index_speed(p_index regclass, p_key text[], p_judging bigint, p_space text, p_values integer[])
RETURNS TABLE (index_name name, setting text, value integer, questions integer, recall double precision, p50_ms double precision, p95_ms double precision)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- The key may have several columns.
    v_id text := (
        SELECT CASE count(*) WHEN 1 THEN min(quote_ident(k.name)) ELSE format('ROW(%s)', string_agg(quote_ident(k.name), ', ' ORDER BY k.place)) END
        FROM unnest(p_key) WITH ORDINALITY AS k (name, place));
    v_table text;
    v_key text;
    v_exact text;
    v_question record;
    v_vector real[];
    v_nearest double precision[];
    v_began timestamptz;
    v_found double precision[];
    v_vectors jsonb := '[]';
    v_times double precision[];
    v_sum double precision;
    v_was text;
BEGIN
    SELECT
        c.relname, CASE am.amname WHEN 'hnsw' THEN 'hnsw.ef_search' ELSE 'ivfflat.probes' END, i.indrelid::regclass,
        pg_get_indexdef(i.indexrelid, 1, false),
        format('SELECT array_agg(n.distance ORDER BY n.distance) FROM ('
            '  SELECT (%1$s OPERATOR(%2$I.%3$s) $1::%4$s)::double precision AS distance FROM %5$s'
            '  WHERE (%1$s) IS NOT NULL AND ($2 IS NULL OR %6$s::text <> $2)'
            '  ORDER BY (%1$s OPERATOR(%2$I.%3$s) $1::%4$s) + 0 LIMIT 10) n',
            pg_get_indexdef(i.indexrelid, 1, false), n.nspname, o.oprname, format_type(a.atttypid, a.atttypmod),
            i.indrelid::regclass, v_id)
    INTO STRICT index_name, setting, v_table, v_key, v_exact
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am am ON am.oid = c.relam
    JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = 1
    JOIN pg_opclass oc ON oc.oid = i.indclass[0]
    JOIN pg_amop p ON p.amopfamily = oc.opcfamily AND p.amoppurpose = 'o' AND p.amoplefttype = oc.opcintype
    JOIN pg_operator o ON o.oid = p.amopopr
    JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE i.indexrelid = p_index;
    v_was := current_setting(setting, true);

    questions := 0;
    FOR v_question IN
        SELECT q.stand_in, CASE p_space WHEN 'old' THEN q.old_vector ELSE q.new_vector END AS vector
        FROM vestige_sql.judge_question q
        WHERE q.judging = p_judging
        ORDER BY q.nr
        LIMIT 100
    LOOP
        v_vector := v_question.vector;
        IF v_vector IS NULL THEN
            EXECUTE format('SELECT (%s)::real[] FROM %s WHERE %s::text = $1', v_key, v_table, v_id)
            INTO v_vector USING v_question.stand_in;
        END IF;
        CONTINUE WHEN v_vector IS NULL;
        EXECUTE v_exact INTO v_nearest USING v_vector, v_question.stand_in;
        CONTINUE WHEN v_nearest IS NULL;
        questions := questions + 1;
        v_vectors := v_vectors || jsonb_build_array(
            jsonb_build_object('vector', v_vector, 'nearest', v_nearest, 'but', v_question.stand_in));
    END LOOP;

    IF questions > 0 THEN
        FOREACH value IN ARRAY p_values LOOP
            PERFORM set_config(setting, value::text, true);
            v_times := '{}';
            v_sum := 0;
            FOR v_question IN
                SELECT r.vector, r.nearest, r.but
                FROM jsonb_to_recordset(v_vectors) AS r (vector real[], nearest double precision[], but text)
            LOOP
                PERFORM vestige_sql.index_answers(p_index, p_key, v_question.vector, 10, v_question.but);
                v_began := clock_timestamp();
                v_found := ARRAY(SELECT a.distance
                    FROM vestige_sql.index_answers(p_index, p_key, v_question.vector, 10, v_question.but) a);
                v_times := v_times || (extract(epoch FROM clock_timestamp() - v_began) * 1000)::double precision;
                v_sum := v_sum + (
                    SELECT count(*) FROM unnest(v_found) AS f (distance)
                    WHERE f.distance <= v_question.nearest[cardinality(v_question.nearest)])::double precision
                    / cardinality(v_question.nearest);
            END LOOP;
            recall := least(1, v_sum / questions);
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t.ms), percentile_cont(0.95) WITHIN GROUP (ORDER BY t.ms)
            INTO p50_ms, p95_ms
            FROM unnest(v_times) AS t (ms);
            RETURN NEXT;
        END LOOP;
        PERFORM set_config(setting, v_was, true);
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.index_speed FROM PUBLIC;
