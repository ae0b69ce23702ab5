-- Return a column's vector indexes, each as the statement that builds it again for a new dimension.
--
-- These are the indexes that depend on the column. Name, method, opclass, parameters, predicate and tablespace stay the
-- same. NULL for the dimension means the old one. vestige_sql.is_vector_index() says which access methods count.
--
-- Where an expression or predicate says the old dimension, the new one takes its place. Examples are
-- (embedding::halfvec(768)) and vector_dims(embedding) = 768. An expression on a part of the vector stays as it is.
--
-- pgvector indexes vector up to 2,000 dimensions, halfvec up to 4,000 and bit up to 64,000. Above 2,000, a vector is indexed
-- as halfvec. What other access methods can index is theirs to say. Where no index can be built, definition is NULL. So it is
-- for what REINDEX CONCURRENTLY left behind INVALID: the index itself is there.
--
-- With p_rows, a condition that chooses rows of the table, these are only the indexes that have such rows and no others, or
-- whose predicate is that condition. What the other indexes have stays as it is, or the server keeps it up.
--
-- With p_new_column, the statement is about that column, and it builds the index under the name in built_as.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.rows_index_definitions(
    p_table regclass,
    p_column name,
    p_dimension integer,
    p_new_column name,
    p_rows text
)
RETURNS TABLE (index_name text, definition text, index_comment text, built_as text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_index record;
    v_attnum smallint;
    v_old integer;
    v_old_dimension integer;
    v_new_dimension integer;
    v_on_column boolean;
    v_key text;
    v_predicate text;
    v_opclass text;
    v_type text;
    v_more text;
    v_included text;
    v_is_of_rows boolean;
BEGIN
    -- a column without a typmod says its dimension only through its vectors
    SELECT a.attnum, nullif(a.atttypmod, -1) INTO STRICT v_attnum, v_old FROM pg_attribute a
    WHERE a.attrelid = p_table AND a.attname = p_column;
    IF v_old IS NULL THEN
        EXECUTE format(
            'SELECT array_length(string_to_array(%1$I::text, '',''), 1) FROM %2$s WHERE %1$I IS NOT NULL AND (%3$s) LIMIT 1',
            p_column, p_table, coalesce(nullif(p_rows, ''), 'true'))
        INTO v_old;
    END IF;

    FOR v_index IN
        SELECT
            i.indexrelid, i.indrelid, i.indkey[0] AS keyattnum, i.indexprs, i.indpred, nullif(k.atttypmod, -1) AS key_dimension,
            c.relname, c.relkind, c.reloptions, c.reltablespace,
            -- What REINDEX CONCURRENTLY left when it failed has the name of its index, cut to make room, and this ending.
            NOT i.indisvalid AND c.relname ~ '_cc(new|old)\d*$' AND EXISTS (
                SELECT FROM pg_index o
                JOIN pg_class oc ON oc.oid = o.indexrelid
                WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid
                  AND starts_with(oc.relname, regexp_replace(c.relname, '_cc(new|old)\d*$', ''))
            ) AS is_left_over,
            am.oid AS method, am.amname, op.opcname, opn.nspname AS opcschema,
            -- pgvector's own, under whatever name, have its limits
            h.proname IN ('hnswhandler', 'ivfflathandler') AS is_pgvectors,
            -- the keys and columns behind the first, such as the labels of a diskann index
            (SELECT string_agg(CASE WHEN o.place < i.indnkeyatts THEN format(', %s%s %I.%I', pg_get_indexdef(i.indexrelid, o.place + 1, false),
                    (SELECT format(' COLLATE %I.%I', cn.nspname, co.collname)
                     FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
                     WHERE co.oid = i.indcollation[o.place]),
                    mn.nspname, mo.opcname) END, '' ORDER BY o.place)
             FROM generate_series(1, i.indnkeyatts - 1) AS o (place)
             JOIN pg_opclass mo ON mo.oid = i.indclass[o.place]
             JOIN pg_namespace mn ON mn.oid = mo.opcnamespace) AS more_keys,
            (SELECT ' INCLUDE (' || string_agg(pg_get_indexdef(i.indexrelid, o.place + 1, false), ', ' ORDER BY o.place) || ')'
             FROM generate_series(i.indnkeyatts, i.indnatts - 1) AS o (place)) AS included,
            -- parameters of an operator class, which no definition here says
            EXISTS (SELECT FROM pg_attribute ka WHERE ka.attrelid = i.indexrelid AND ka.attoptions IS NOT NULL) AS has_class_options,
            it.typname AS keytype, itn.nspname AS typeschema
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_attribute k ON k.attrelid = i.indexrelid AND k.attnum = 1
        JOIN pg_am am ON am.oid = c.relam
        JOIN pg_proc h ON h.oid = am.amhandler
        JOIN pg_opclass op ON op.oid = i.indclass[0]
        JOIN pg_namespace opn ON opn.oid = op.opcnamespace
        JOIN pg_type it ON it.oid = op.opcintype
        JOIN pg_namespace itn ON itn.oid = it.typnamespace
        WHERE i.indrelid = p_table
          AND vestige_sql.is_vector_index(i.indexrelid)
          AND EXISTS (
              SELECT FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table AND d.refobjsubid = v_attnum
          )
        ORDER BY c.relname
    LOOP
        IF p_rows <> '' AND pg_get_expr(v_index.indpred, v_index.indrelid) IS DISTINCT FROM p_rows THEN
            EXECUTE format(
                'SELECT coalesce(bool_and(t.is_chosen), false) FROM (SELECT (%1$s) IS TRUE AS is_chosen FROM %2$s WHERE (%3$s)) AS t',
                p_rows, p_table, coalesce(pg_get_expr(v_index.indpred, v_index.indrelid), 'true'))
            INTO v_is_of_rows;
            CONTINUE WHEN NOT v_is_of_rows;
        END IF;
        index_name := v_index.relname;
        built_as := CASE WHEN p_new_column IS NULL THEN index_name ELSE vestige_sql.other_index_name(index_name) END;
        index_comment := obj_description(v_index.indexrelid, 'pg_class');
        v_key := pg_get_indexdef(v_index.indexrelid, 1, false);
        v_opclass := v_index.opcname;
        v_type := v_index.keytype;
        v_more := v_index.more_keys;
        v_included := v_index.included;
        -- the key may be another column, and this one stand in the predicate alone
        v_on_column := v_index.keyattnum = v_attnum
            OR v_index.keyattnum = 0 AND v_index.indexprs::text ~ (':varattno ' || v_attnum || '\M');
        -- in a column that is empty and has no typmod, the index alone knows
        v_old_dimension := coalesce(v_old, CASE WHEN v_on_column THEN v_index.key_dimension END);
        -- So it does where it casts all of the vector: other rows had vectors of another dimension, and now have such as these.
        IF v_index.keyattnum = 0 AND regexp_replace(
            translate(v_key, '()', '  '),
            CASE WHEN quote_ident(p_column) = p_column THEN '\m' || p_column || '\M'
                ELSE regexp_replace(translate(quote_ident(p_column), '()', '  '), '([\[\].*+?{}|^$\\])', '\\\1', 'g') END,
            'the_column', 'g') ~ '^\s*([\w."]+\s+)?the_column\s*(::\s*[\w."]+\s*\d*\s*)+$'
        THEN
            v_old_dimension := v_index.key_dimension;
        END IF;
        v_new_dimension := coalesce(p_dimension, v_old_dimension);
        v_predicate := regexp_replace(
            pg_get_expr(v_index.indpred, v_index.indrelid),
            '(\m(?:vector|halfvec|bit|sparsevec)\(|\mvector_dims\([^=]*\) = )' || v_old_dimension || '\M',
            '\1' || v_new_dimension, 'g');

        IF NOT v_on_column THEN
            v_new_dimension := NULL;
        ELSIF v_index.keyattnum = 0 THEN
            v_key := '(' || regexp_replace(
                v_key,
                '\m(vector|halfvec|bit|sparsevec)\(' || coalesce(v_old_dimension, 0) || '\)',
                '\1(' || coalesce(v_new_dimension, 0) || ')', 'g') || ')';
            IF v_index.key_dimension IS DISTINCT FROM v_old_dimension THEN
                v_new_dimension := v_index.key_dimension;
            END IF;
        END IF;

        IF v_index.is_pgvectors AND v_new_dimension > 2000 AND v_type = 'vector'
            AND to_regtype(format('%I.halfvec', v_index.typeschema)) IS NOT NULL
        THEN
            v_key := CASE v_index.keyattnum
                WHEN 0 THEN regexp_replace(v_key, '\mvector(\(' || v_new_dimension || '\))', 'halfvec\1', 'g')
                ELSE format('((%s)::%I.halfvec(%s))', v_key, v_index.typeschema, v_new_dimension) END;
            v_opclass := regexp_replace(v_opclass, '^vector_', 'halfvec_');
            v_type := 'halfvec';
        END IF;

        IF v_index.is_left_over OR v_index.has_class_options
            OR v_type <> v_index.keytype AND NOT EXISTS (
                SELECT FROM pg_opclass o
                JOIN pg_type oi ON oi.oid = o.opcintype AND oi.typname = v_type
                WHERE o.opcmethod = v_index.method AND o.opcname = v_opclass AND o.opcnamespace = to_regnamespace(quote_ident(v_index.opcschema)))
            OR v_index.is_pgvectors AND (v_new_dimension > CASE v_type WHEN 'vector' THEN 2000 WHEN 'halfvec' THEN 4000 WHEN 'bit' THEN 64000 END) THEN
            definition := NULL;
        ELSE
            IF p_new_column IS NOT NULL THEN
                v_key := vestige_sql.rename_column(v_key, p_column, p_new_column);
                v_predicate := vestige_sql.rename_column(v_predicate, p_column, p_new_column);
                v_more := vestige_sql.rename_column(v_more, p_column, p_new_column);
                v_included := vestige_sql.rename_column(v_included, p_column, p_new_column);
            END IF;
            definition := format(
                'CREATE INDEX %I ON %s%s USING %I (%s %I.%I%s)%s%s%s%s',
                -- Those of the partitions have definitions of their own, and are attached once they are there.
                built_as, CASE v_index.relkind WHEN 'I' THEN 'ONLY ' ELSE '' END, p_table, v_index.amname, v_key, v_index.opcschema, v_opclass, v_more, v_included,
                ' WITH (' || (
                    -- the parameters of vchordrq are a text of several lines
                    SELECT string_agg(split_part(o.said, '=', 1) || '=' || CASE
                        WHEN o.value ~ '^[A-Za-z0-9_.]+$' THEN o.value ELSE quote_literal(o.value) END, ', ' ORDER BY o.place)
                    FROM (SELECT u.said, substr(u.said, strpos(u.said, '=') + 1) AS value, u.place
                          FROM unnest(v_index.reloptions) WITH ORDINALITY AS u (said, place)) AS o) || ')',
                (SELECT ' TABLESPACE ' || quote_ident(s.spcname)
                 FROM pg_tablespace s WHERE s.oid = v_index.reltablespace),
                ' WHERE ' || v_predicate
            );
        END IF;
        RETURN NEXT;
    END LOOP;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.rows_index_definitions FROM PUBLIC;
