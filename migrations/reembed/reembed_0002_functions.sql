-- The functions that the steps call: one check, two definitions of terms, and what psql cannot do with variables.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe, each function is replaced by itself
-- Undo:         reembed_0002_functions.rollback.sql
--
-- depends: reembed_0001_schema
--
-- A step that calls one of these could not be plain SQL: psql puts no variable inside a DO block, so a statement
-- that is put together from the catalog is made here and run by the step with \gexec, where it can be seen.
-- Every function sets its own search_path or is read when it is made, names in full, and is nobody's to call but its
-- owner's: docs/privileges.md has the grant.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- functions are replaced without waiting for anybody

-- Stop the transaction with a message for people, under the package's own SQLSTATE.
CREATE OR REPLACE FUNCTION vestige_sql.require(p_holds boolean, p_message text, p_hint text DEFAULT '')
RETURNS void
LANGUAGE plpgsql
-- or no query that calls it is planned in parallel
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF p_holds IS NOT TRUE THEN
        RAISE EXCEPTION USING
            ERRCODE = 'VS001',
            MESSAGE = coalesce(p_message, 'a check did not hold'),
            HINT = coalesce(p_hint, '');
    END IF;
END
$function$;

-- Whether a text can be embedded: it is not NULL, not empty, and not only white space, which is Unicode's and the four
-- separators of ASCII: what Python's str.isspace() says, so that an application can ask the same.
--
-- This and content_hash() are asked for every row. A function that sets a search_path is called for each, which takes 5 us more
-- (PostgreSQL 18 on the machine of docs/benchmarks.md); these bodies stand in the query itself. Most texts begin with a printing
-- character of ASCII, which says it at once; the operators compare bytes, whatever the collation.
CREATE OR REPLACE FUNCTION vestige_sql.has_text(p_text text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN
    p_text IS NOT NULL AND (
        p_text OPERATOR(pg_catalog.~>=~) '!' AND p_text OPERATOR(pg_catalog.~<~) E'\x7f'
        OR pg_catalog.octet_length(pg_catalog.btrim(
            p_text,
            E' \t\n\u000b\f\r\u001c\u001d\u001e\u001f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
        )) OPERATOR(pg_catalog.>) 0
    );

-- What a staged vector remembers of the text that it was made from: SHA-256 (md5 fails on FIPS builds).
CREATE OR REPLACE FUNCTION vestige_sql.content_hash(p_text text)
RETURNS bytea
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN pg_catalog.sha256(pg_catalog.convert_to(p_text, 'UTF8'));

-- What an index is called while its name belongs to the other column: before an online switch the new one, after it the
-- former one.
CREATE OR REPLACE FUNCTION vestige_sql.other_index_name(p_index text)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN 'reembed_' OPERATOR(pg_catalog.||) pg_catalog.left(
    pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p_index, 'UTF8')), 'hex'), 16);

-- An expression as pg_get_expr() prints it, with one column's name in place of another's. What stands in strings stays, and the
-- names of types, functions, schemas and collations, which may be the same.
CREATE OR REPLACE FUNCTION vestige_sql.rename_column(p_expression text, p_from name, p_to name)
RETURNS text
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT string_agg(CASE WHEN token[1] = quote_ident(p_from) THEN quote_ident(p_to) ELSE token[1] END, '' ORDER BY place)
    FROM regexp_matches(
        p_expression,
        -- a string; a name with what says that it is no column's; any other character
        $token$('(?:[^']|'')*'|(?:::|\.|COLLATE )?(?:\w+|"(?:[^"]|"")*")(?:\.(?:\w+|"(?:[^"]|"")*"))*[(.]?|[^\w'"])$token$,
        'g') WITH ORDINALITY AS t (token, place)
$function$;

-- The HNSW and IVFFlat indexes that depend on a column, each as the statement that builds it again for a new
-- dimension: same name, method, opclass, parameters, predicate and tablespace. NULL for the dimension is the old one.
--
-- Where an expression or predicate says the old dimension, as in (embedding::halfvec(768)) or
-- vector_dims(embedding) = 768, the new one takes its place; one on a part of the vector stays as it is. pgvector
-- indexes vector up to 2,000 dimensions, halfvec up to 4,000 and bit up to 64,000: above 2,000 a vector is indexed as
-- halfvec, and where no index can be built definition is NULL. With p_new_column the statement is about that column, and
-- builds the index under the name in built_as.
CREATE OR REPLACE FUNCTION vestige_sql.index_definitions(
    p_table regclass,
    p_column name,
    p_dimension integer,
    p_new_column name DEFAULT NULL
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
BEGIN
    -- a column without a typmod says its dimension only through its vectors
    SELECT a.attnum, nullif(a.atttypmod, -1) INTO STRICT v_attnum, v_old FROM pg_attribute a
    WHERE a.attrelid = p_table AND a.attname = p_column;
    IF v_old IS NULL THEN
        EXECUTE format(
            'SELECT array_length(string_to_array(%1$I::text, '',''), 1) FROM %2$s WHERE %1$I IS NOT NULL LIMIT 1',
            p_column, p_table)
        INTO v_old;
    END IF;

    FOR v_index IN
        SELECT
            i.indexrelid, i.indrelid, i.indkey[0] AS keyattnum, i.indexprs, i.indpred, nullif(k.atttypmod, -1) AS key_dimension,
            c.relname, c.reloptions, c.reltablespace,
            am.amname, op.opcname, opn.nspname AS opcschema,
            it.typname AS keytype, itn.nspname AS typeschema
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_attribute k ON k.attrelid = i.indexrelid AND k.attnum = 1
        JOIN pg_am am ON am.oid = c.relam AND am.amname IN ('hnsw', 'ivfflat')
        JOIN pg_opclass op ON op.oid = i.indclass[0]
        JOIN pg_namespace opn ON opn.oid = op.opcnamespace
        JOIN pg_type it ON it.oid = op.opcintype
        JOIN pg_namespace itn ON itn.oid = it.typnamespace
        WHERE i.indrelid = p_table
          AND EXISTS (
              SELECT FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table AND d.refobjsubid = v_attnum
          )
        ORDER BY c.relname
    LOOP
        index_name := v_index.relname;
        built_as := CASE WHEN p_new_column IS NULL THEN index_name ELSE vestige_sql.other_index_name(index_name) END;
        index_comment := obj_description(v_index.indexrelid, 'pg_class');
        v_key := pg_get_indexdef(v_index.indexrelid, 1, false);
        v_opclass := v_index.opcname;
        v_type := v_index.keytype;
        -- the key may be another column, and this one stand in the predicate alone
        v_on_column := v_index.keyattnum = v_attnum
            OR v_index.keyattnum = 0 AND v_index.indexprs::text ~ (':varattno ' || v_attnum || '\M');
        -- in a column that is empty and has no typmod, the index alone knows
        v_old_dimension := coalesce(v_old, CASE WHEN v_on_column THEN v_index.key_dimension END);
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

        IF v_new_dimension > 2000 AND v_type = 'vector'
            AND to_regtype(format('%I.halfvec', v_index.typeschema)) IS NOT NULL
        THEN
            v_key := CASE v_index.keyattnum
                WHEN 0 THEN regexp_replace(v_key, '\mvector(\(' || v_new_dimension || '\))', 'halfvec\1', 'g')
                ELSE format('((%s)::%I.halfvec(%s))', v_key, v_index.typeschema, v_new_dimension) END;
            v_opclass := regexp_replace(v_opclass, '^vector_', 'halfvec_');
            v_type := 'halfvec';
        END IF;

        IF (v_new_dimension > CASE v_type WHEN 'vector' THEN 2000 WHEN 'halfvec' THEN 4000 WHEN 'bit' THEN 64000 END) THEN
            definition := NULL;
        ELSE
            IF p_new_column IS NOT NULL THEN
                v_key := vestige_sql.rename_column(v_key, p_column, p_new_column);
                v_predicate := vestige_sql.rename_column(v_predicate, p_column, p_new_column);
            END IF;
            definition := format(
                'CREATE INDEX %I ON %s USING %I (%s %I.%I)%s%s%s',
                built_as, p_table, v_index.amname, v_key, v_index.opcschema, v_opclass,
                ' WITH (' || array_to_string(v_index.reloptions, ', ') || ')',
                (SELECT ' TABLESPACE ' || quote_ident(s.spcname)
                 FROM pg_tablespace s WHERE s.oid = v_index.reltablespace),
                ' WHERE ' || v_predicate
            );
        END IF;
        RETURN NEXT;
    END LOOP;
END
$function$;

-- The statements that give one column the very grants of another.
CREATE OR REPLACE FUNCTION vestige_sql.column_grants(p_table regclass, p_from name, p_to name)
RETURNS SETOF text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH grants AS (
        SELECT
            a.attname, acl.privilege_type, acl.is_grantable,
            CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee
        FROM pg_attribute a
        CROSS JOIN LATERAL aclexplode(a.attacl) acl
        WHERE a.attrelid = p_table AND NOT a.attisdropped
    ),
    wanted AS (
        SELECT grantee, privilege_type, bool_or(is_grantable) AS is_grantable
        FROM grants WHERE attname = p_from GROUP BY grantee, privilege_type
    ),
    there AS (
        SELECT grantee, privilege_type, bool_or(is_grantable) AS is_grantable
        FROM grants WHERE attname = p_to GROUP BY grantee, privilege_type
    )
    SELECT s.statement
    FROM wanted w
    FULL JOIN there t ON (t.grantee, t.privilege_type) = (w.grantee, w.privilege_type)
    CROSS JOIN LATERAL (VALUES
        (1, t.grantee IS NOT NULL, format('REVOKE %s (%I) ON %s FROM %s CASCADE', t.privilege_type, p_to, p_table, t.grantee)),
        (2, w.grantee IS NOT NULL, format('GRANT %s (%I) ON %s TO %s%s', w.privilege_type, p_to, p_table, w.grantee,
            CASE WHEN w.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END))
    ) AS s (step, is_due, statement)
    WHERE s.is_due AND t.is_grantable IS DISTINCT FROM w.is_grantable
    ORDER BY s.step, s.statement
$function$;

-- The statements that move to one column what another has: default, NOT NULL, storage, statistics target, options, comment,
-- labels. The other column is left without them: a kept column with a default or NOT NULL would get vectors that are not of its
-- rows' texts, or refuse rows. Grants are given to both, for SELECT * by a role that has no more than these.
CREATE OR REPLACE FUNCTION vestige_sql.column_properties(p_table regclass, p_from name, p_to name)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_from pg_attribute;
    v_to pg_attribute;
    v_alter_from text;
    v_alter_to text;
    v_name text;
BEGIN
    SELECT * INTO STRICT v_from FROM pg_attribute
    WHERE attrelid = p_table AND attname = p_from AND NOT attisdropped;
    -- not there yet where the statements are only to be shown; it is added with the same storage
    SELECT * INTO v_to FROM pg_attribute
    WHERE attrelid = p_table AND attname = p_to AND NOT attisdropped;
    v_alter_from := format('ALTER TABLE %s ALTER COLUMN %I ', p_table, p_from);
    v_alter_to := format('ALTER TABLE %s ALTER COLUMN %I ', p_table, p_to);

    RETURN QUERY
        SELECT unnest(ARRAY[v_alter_to || 'SET DEFAULT ' || pg_get_expr(adbin, adrelid), v_alter_from || 'DROP DEFAULT'])
        FROM pg_attrdef WHERE adrelid = p_table AND adnum = v_from.attnum;

    IF v_from.attnotnull THEN
        -- From PostgreSQL 18 on NOT NULL is a constraint with a name, which the other column takes over. Before it none is found.
        SELECT conname INTO v_name FROM pg_constraint
        WHERE conrelid = p_table AND contype = 'n' AND conkey = ARRAY[v_from.attnum];
        IF v_name IS NOT NULL THEN
            RETURN NEXT format('ALTER TABLE %s DROP CONSTRAINT %I', p_table, v_name);
            RETURN NEXT format('ALTER TABLE %s ADD CONSTRAINT %I NOT NULL %I', p_table, v_name, p_to);
        ELSE
            RETURN NEXT v_alter_to || 'SET NOT NULL';
            RETURN NEXT v_alter_from || 'DROP NOT NULL';
        END IF;
    END IF;

    IF v_from.attstorage <> v_to.attstorage THEN
        RETURN NEXT v_alter_to || 'SET STORAGE '
            || CASE v_from.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END;
    END IF;
    IF v_from.attcompression <> v_to.attcompression THEN
        RETURN NEXT v_alter_to || 'SET COMPRESSION '
            || CASE v_from.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE 'default' END;
    END IF;
    IF v_from.attstattarget >= 0 THEN
        RETURN NEXT v_alter_to || 'SET STATISTICS ' || v_from.attstattarget;
        RETURN NEXT v_alter_from || 'SET STATISTICS -1';
    END IF;
    IF v_from.attoptions IS NOT NULL THEN
        RETURN NEXT v_alter_to || 'SET (' || array_to_string(v_from.attoptions, ', ') || ')';
        RETURN NEXT v_alter_from || 'RESET ('
            || (SELECT string_agg(split_part(name, '=', 1), ', ') FROM unnest(v_from.attoptions) AS name) || ')';
    END IF;
    IF col_description(p_table, v_from.attnum) IS NOT NULL THEN
        RETURN NEXT format('COMMENT ON COLUMN %s.%I IS %L', p_table, p_to, col_description(p_table, v_from.attnum));
        RETURN NEXT format('COMMENT ON COLUMN %s.%I IS NULL', p_table, p_from);
    END IF;

    RETURN QUERY SELECT vestige_sql.column_grants(p_table, p_from, p_to);

    -- A label of a security module, such as those of pgaudit or anonymizer extensions.
    RETURN QUERY
        SELECT format('SECURITY LABEL FOR %I ON COLUMN %s.%I IS %s', s.provider, p_table, x.name, x.label)
        FROM pg_seclabel s
        CROSS JOIN LATERAL (VALUES (1, p_to, quote_literal(s.label)), (2, p_from, 'NULL')) AS x (place, name, label)
        WHERE s.classoid = 'pg_class'::regclass AND s.objoid = p_table AND s.objsubid = v_from.attnum
        ORDER BY s.provider, x.place;
END
$function$;

-- The table embedding_model in which a column's model is registered: Vestige's own table has one beside it. NULL for any
-- other column, whose model is in vestige_sql.model.
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

-- Which model the vectors of a column are of, from the registry that set_model() writes. No row where none is registered.
CREATE OR REPLACE FUNCTION vestige_sql.registered_model(p_table regclass, p_column name)
RETURNS TABLE (model_name text, dimension integer, model_hash text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_registry regclass := vestige_sql.registry_of(p_table, p_column);
    v_row jsonb;
BEGIN
    IF v_registry IS NULL THEN
        RETURN QUERY
            SELECT m.model_name, m.dimension, m.model_hash
            FROM vestige_sql.model m
            JOIN pg_namespace n ON n.nspname = m.table_schema
            JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = m.table_name
            WHERE c.oid = p_table AND m.column_name = p_column;
        RETURN;
    END IF;

    EXECUTE format('SELECT to_jsonb(m) FROM %s m WHERE m.id = 1', v_registry) INTO v_row;
    model_name := coalesce(v_row ->> 'model_name', v_row ->> 'name');
    dimension := (v_row ->> 'dimension')::integer;
    model_hash := coalesce(v_row ->> 'model_hash', v_row ->> 'hash');
    IF model_hash IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END
$function$;

-- Write which model the vectors of a column are of.
--
-- Vestige's own table keeps it in the table embedding_model beside it, whose columns are called model_name and
-- model_hash or, in databases made by Vestige itself, name and hash, without updated_at. Any other column has its
-- row in vestige_sql.model.
CREATE OR REPLACE FUNCTION vestige_sql.set_model(
    p_table regclass,
    p_column name,
    p_model_name text,
    p_dimension integer,
    p_model_hash text
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_registry regclass := vestige_sql.registry_of(p_table, p_column);
    v_columns text[];
    v_name text;
    v_hash text;
    v_touch text := '';
    v_updated bigint;
BEGIN
    IF v_registry IS NULL THEN
        INSERT INTO vestige_sql.model AS m (table_schema, table_name, column_name, model_name, dimension, model_hash)
        SELECT n.nspname, c.relname, p_column, p_model_name, p_dimension, p_model_hash
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = p_table
        ON CONFLICT (table_schema, table_name, column_name) DO UPDATE
        SET model_name = excluded.model_name,
            dimension = excluded.dimension,
            model_hash = excluded.model_hash,
            updated_at = now();
        RETURN;
    END IF;

    SELECT array_agg(attname::text) INTO v_columns
    FROM pg_attribute WHERE attrelid = v_registry AND attnum > 0 AND NOT attisdropped;
    v_name := CASE WHEN 'model_name' = ANY (v_columns) THEN 'model_name' ELSE 'name' END;
    v_hash := CASE WHEN 'model_hash' = ANY (v_columns) THEN 'model_hash' ELSE 'hash' END;
    IF 'updated_at' = ANY (v_columns) THEN
        v_touch := ', updated_at = now()';
    END IF;

    EXECUTE format('UPDATE %s SET %I = $1, dimension = $2, %I = $3%s WHERE id = 1', v_registry, v_name, v_hash, v_touch)
    USING p_model_name, p_dimension, p_model_hash;
    GET DIAGNOSTICS v_updated = ROW_COUNT;
    IF v_updated = 0 THEN
        EXECUTE format('INSERT INTO %s (id, %I, dimension, %I) VALUES (1, $1, $2, $3)', v_registry, v_name, v_hash)
        USING p_model_name, p_dimension, p_model_hash;
    END IF;
END
$function$;

-- The statements that let the vector indexes of two columns change names: those that the live column has by name are in
-- vestige_sql.kept. The index of the column that is coming takes its name, and that of the one that goes the other name.
CREATE OR REPLACE FUNCTION vestige_sql.swap_indexes(p_table regclass, p_coming name, p_going name)
RETURNS SETOF text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH indexes AS (
        SELECT DISTINCT c.relname::text AS name, a.attname
        FROM pg_depend d
        JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'i'
        JOIN pg_am am ON am.oid = c.relam AND am.amname IN ('hnsw', 'ivfflat')
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table
    )
    SELECT format('ALTER INDEX %I.%I RENAME TO %I', k.table_schema, s.was, s.becomes)
    FROM vestige_sql.kept k
    CROSS JOIN LATERAL unnest(k.index_names) AS live (name)
    CROSS JOIN vestige_sql.other_index_name(live.name) AS other (name)
    LEFT JOIN indexes coming ON coming.attname = p_coming AND coming.name = other.name
    LEFT JOIN indexes going ON going.attname = p_going AND going.name = live.name
    CROSS JOIN LATERAL (VALUES
        (1, going.name, vestige_sql.other_index_name(other.name)),
        (2, coming.name, live.name),
        (3, CASE WHEN going.name IS NOT NULL THEN vestige_sql.other_index_name(other.name) END, other.name)
    ) AS s (step, was, becomes)
    WHERE to_regclass(format('%I.%I', k.table_schema, k.table_name)) = p_table AND k.column_name IN (p_coming, p_going)
      AND s.was IS NOT NULL
    ORDER BY live.name, s.step
$function$;

-- How much of what an exact search finds an HNSW or IVFFlat index finds, with the session's ef_search or probes: the mean
-- share over p_sample rows whose vectors stand in as questions, each without the row itself (recall@k).
--
-- Neighbours count by their distance, as in the field's benchmarks (Aumueller, Bernhardsson, Faithfull: ANN-Benchmarks,
-- 2020), so that one of several that are equally far does as well as another. recall is NULL where there is nothing to ask.
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
    v_key text;
    v_distance text;
    v_predicate text;
    v_ids text[];
    v_questions text[];
    v_exact double precision[];
    v_found integer;
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
    WHERE i.indexrelid = p_index;

    -- the sample is drawn before its vectors are read
    EXECUTE format(
        'SELECT array_agg(%1$I::text), array_agg((%2$s)::text) FROM %3$s WHERE ctid = ANY (ARRAY('
        '  SELECT ctid FROM %3$s WHERE (%2$s) IS NOT NULL AND (%4$s)'
        '  ORDER BY hashtextextended(%1$I::text, 0) LIMIT $1))',
        p_id, v_key, v_table, v_predicate)
    INTO v_ids, v_questions USING p_sample;

    sampled := 0;
    FOR i IN 1 .. coalesce(cardinality(v_questions), 0) LOOP
        -- the index does not serve an order by the distance and nought
        PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true);
        EXECUTE format(
            'SELECT array_agg(n.distance ORDER BY n.distance) FROM ('
            '  SELECT %1$s AS distance FROM %2$s WHERE (%3$s) IS NOT NULL AND (%4$s) AND %5$I::text <> $2'
            '  ORDER BY (%1$s) + 0 LIMIT $3) n',
            v_distance, v_table, v_key, v_predicate, p_id)
        INTO v_exact USING v_questions[i], v_ids[i], p_k;
        CONTINUE WHEN v_exact IS NULL;

        -- nor may another index find the rows of the predicate, to be sorted
        PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
        EXECUTE format(
            'SELECT count(*) FROM ('
            '  SELECT %1$s AS distance FROM %2$s WHERE (%3$s) AND %4$I::text <> $2 ORDER BY %1$s LIMIT $3) n'
            '  WHERE n.distance <= $4',
            v_distance, v_table, v_predicate, p_id)
        INTO v_found USING v_questions[i], v_ids[i], p_k, v_exact[cardinality(v_exact)];
        v_sum := v_sum + v_found::double precision / cardinality(v_exact);
        sampled := sampled + 1;
    END LOOP;
    recall := v_sum / nullif(sampled, 0);
    RETURN NEXT;
END
$function$;

REVOKE ALL ON FUNCTION
    vestige_sql.require,
    vestige_sql.has_text,
    vestige_sql.content_hash,
    vestige_sql.other_index_name,
    vestige_sql.rename_column,
    vestige_sql.index_definitions,
    vestige_sql.column_grants,
    vestige_sql.column_properties,
    vestige_sql.registry_of,
    vestige_sql.registered_model,
    vestige_sql.set_model,
    vestige_sql.swap_indexes,
    vestige_sql.index_recall
FROM PUBLIC;
