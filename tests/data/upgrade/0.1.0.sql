--
-- PostgreSQL database dump
--

-- Dumped from database version 16.2
-- Dumped by pg_dump version 16.2

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: app; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA app;


--
-- Name: vestige_sql; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA vestige_sql;


--
-- Name: SCHEMA vestige_sql; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA vestige_sql IS 'vestige-sql: re-embedding runs, their audit, and staging tables';


--
-- Name: vector; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;


--
-- Name: EXTENSION vector; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON EXTENSION vector IS 'vector data type and ivfflat and hnsw access methods';


--
-- Name: vestige_set_updated_at(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.vestige_set_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at := pg_catalog.now();
    RETURN NEW;
END
$$;


--
-- Name: FUNCTION vestige_set_updated_at(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.vestige_set_updated_at() IS 'Trigger function: every UPDATE of a row sets its updated_at';


--
-- Name: vestige_tags_text(text[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.vestige_tags_text(tags text[]) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN array_to_string(tags, ' '::text);


--
-- Name: FUNCTION vestige_tags_text(tags text[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.vestige_tags_text(tags text[]) IS 'Tags as one text, immutable for the generated column search_vec';


--
-- Name: column_grants(regclass, name, name); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.column_grants(p_table regclass, p_from name, p_to name) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
$$;


--
-- Name: column_properties(regclass, name, name); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.column_properties(p_table regclass, p_from name, p_to name) RETURNS SETOF text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
$$;


--
-- Name: complaint(text, text, text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.complaint(p_column text, p_wanted text, p_value text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN format('%s is no %s: %s', p_column, p_wanted, coalesce(
        quote_literal(left(p_value, 60)) || CASE WHEN length(p_value) > 60 THEN '...' ELSE '' END, 'NULL'));
END
$$;


--
-- Name: content_hash(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.content_hash(p_text text) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN sha256(convert_to(p_text, 'UTF8'::name));


--
-- Name: forget_stale_5da9118eb315a54c(); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.forget_stale_5da9118eb315a54c() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$BEGIN NEW.former_embedding_5da9118eb315a54c := NULL; RETURN NEW; END$$;


--
-- Name: forget_stale_d5bcc175c5191bec(); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.forget_stale_d5bcc175c5191bec() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$BEGIN NEW.former_embedding_d5bcc175c5191bec := NULL; RETURN NEW; END$$;


--
-- Name: has_text(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.has_text(p_text text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((p_text IS NOT NULL) AND (((p_text ~>=~ '!'::text) AND (p_text ~<~ ''::text)) OR (octet_length(btrim(p_text, ' 	
                 　'::text)) > 0)));


--
-- Name: index_definitions(regclass, name, integer, name); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.index_definitions(p_table regclass, p_column name, p_dimension integer, p_new_column name DEFAULT NULL::name) RETURNS TABLE(index_name text, definition text, index_comment text, built_as text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;


--
-- Name: index_recall(regclass, name, integer, integer); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.index_recall(p_index regclass, p_id name, p_sample integer, p_k integer DEFAULT 10) RETURNS TABLE(recall double precision, sampled integer)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'on'
    SET enable_sort TO 'on'
    SET enable_indexscan TO 'on'
    AS $_$
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
$_$;


--
-- Name: merged_metadata(text, text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.merged_metadata(p_metadata text, p_columns text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_columns jsonb := coalesce(vestige_sql.read_json(p_columns), '{}');
    v_metadata jsonb := vestige_sql.read_json(p_metadata);
    v_overwritten jsonb;
BEGIN
    IF v_metadata IS NULL THEN
        RETURN v_columns;
    ELSIF jsonb_typeof(v_metadata) <> 'object' THEN
        RETURN v_columns || jsonb_build_object('metadata', v_metadata);
    END IF;
    SELECT jsonb_object_agg(m.key, m.value) INTO v_overwritten
    FROM jsonb_each(v_metadata) AS m
    WHERE v_columns ? m.key AND v_columns -> m.key <> m.value;
    RETURN v_metadata || v_columns
        || CASE WHEN v_overwritten IS NULL THEN '{}' ELSE jsonb_build_object('metadata', v_overwritten) END;
END
$$;


--
-- Name: note_changed_3d86e6309f2372a3(); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.note_changed_3d86e6309f2372a3() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$BEGIN INSERT INTO vestige_sql.changed_3d86e6309f2372a3 (id) VALUES (NEW.id); RETURN NULL; END$$;


--
-- Name: note_changed_5897bd27802b5304(); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.note_changed_5897bd27802b5304() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$BEGIN INSERT INTO vestige_sql.changed_5897bd27802b5304 (id) VALUES (NEW.id); RETURN NULL; END$$;


--
-- Name: note_changed_d5bcc175c5191bec(); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.note_changed_d5bcc175c5191bec() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$BEGIN INSERT INTO vestige_sql.changed_d5bcc175c5191bec (id) VALUES (NEW.id); RETURN NULL; END$$;


--
-- Name: other_index_name(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.other_index_name(p_index text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ('reembed_'::text || "left"(encode(sha256(convert_to(p_index, 'UTF8'::name)), 'hex'::text), 16));


--
-- Name: read_integer(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.read_integer(p_text text) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE STRICT
    AS $$
DECLARE
    v_number double precision;
BEGIN
    v_number := p_text::double precision;
    RETURN CASE WHEN v_number OPERATOR(pg_catalog.=) pg_catalog.trunc(v_number) THEN v_number::integer END;
EXCEPTION
    WHEN invalid_text_representation OR numeric_value_out_of_range THEN
        RETURN NULL;
END
$$;


--
-- Name: read_json(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.read_json(p_text text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE STRICT
    AS $$
BEGIN
    RETURN p_text::pg_catalog.jsonb;
EXCEPTION
    -- untranslatable_character is an escaped NUL, the last two are values that are too long or nested too deep
    WHEN invalid_text_representation OR untranslatable_character OR numeric_value_out_of_range
        OR program_limit_exceeded OR statement_too_complex THEN
        RETURN NULL;
END
$$;


--
-- Name: read_number(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.read_number(p_text text) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT
    AS $$
BEGIN
    RETURN p_text::double precision;
EXCEPTION
    WHEN invalid_text_representation OR numeric_value_out_of_range THEN
        RETURN NULL;
END
$$;


--
-- Name: read_object(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.read_object(p_text text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_json jsonb := vestige_sql.read_json(p_text);
BEGIN
    RETURN CASE WHEN jsonb_typeof(v_json) = 'object' THEN v_json END;
END
$$;


--
-- Name: read_texts(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.read_texts(p_text text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    v_json jsonb := vestige_sql.read_json(p_text);
BEGIN
    IF p_text = '[]' THEN
        RETURN '{}';
    ELSIF jsonb_typeof(v_json) = 'array' AND NOT jsonb_path_exists(v_json, 'strict $[*] ? (@.type() != "string")') THEN
        RETURN ARRAY(SELECT jsonb_array_elements_text(v_json));
    END IF;
    RETURN NULL;
END
$_$;


--
-- Name: read_timestamp(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.read_timestamp(p_text text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE STRICT
    AS $$
DECLARE
    v_time pg_catalog.text;
BEGIN
    IF p_text OPERATOR(pg_catalog.!~~) '____-__-__%' THEN
        RETURN NULL;
    END IF;
    -- a zone is Z, UTC or an offset; T is none
    v_time := pg_catalog.substr(p_text, 11);
    IF pg_catalog.translate(v_time, 'Zz+-U', '') OPERATOR(pg_catalog.<>) v_time THEN
        RETURN p_text::pg_catalog.timestamptz;
    END IF;
    RETURN pg_catalog.concat(p_text, CASE WHEN v_time OPERATOR(pg_catalog.=) '' THEN ' 00:00Z' ELSE 'Z' END)::pg_catalog.timestamptz;
EXCEPTION
    WHEN datetime_field_overflow OR invalid_datetime_format OR invalid_time_zone_displacement_value
        OR invalid_parameter_value THEN
        RETURN NULL;
END
$$;


--
-- Name: read_uuid(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.read_uuid(p_text text) RETURNS uuid
    LANGUAGE plpgsql IMMUTABLE STRICT
    AS $$
BEGIN
    RETURN CASE WHEN p_text::pg_catalog.uuid::pg_catalog.text OPERATOR(pg_catalog.=) pg_catalog.lower(p_text) THEN p_text::pg_catalog.uuid END;
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN NULL;
END
$$;


--
-- Name: read_uuids(text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.read_uuids(p_text text) RETURNS uuid[]
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_uuids uuid[] := '{}';
    v_text text;
BEGIN
    IF vestige_sql.read_texts(p_text) IS NULL THEN
        RETURN NULL;
    END IF;
    FOREACH v_text IN ARRAY vestige_sql.read_texts(p_text) LOOP
        IF vestige_sql.read_uuid(v_text) IS NULL THEN
            RETURN NULL;
        END IF;
        v_uuids := v_uuids || vestige_sql.read_uuid(v_text);
    END LOOP;
    RETURN v_uuids;
END
$$;


--
-- Name: registered_model(regclass, name); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.registered_model(p_table regclass, p_column name) RETURNS TABLE(model_name text, dimension integer, model_hash text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
$$;


--
-- Name: registry_of(regclass, name); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.registry_of(p_table regclass, p_column name) RETURNS regclass
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT to_regclass(format('%I.embedding_model', n.nspname))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = p_table AND c.relname = 'knowledge_nodes' AND p_column = 'embedding'
$$;


--
-- Name: rename_column(text, name, name); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.rename_column(p_expression text, p_from name, p_to name) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT string_agg(CASE WHEN token[1] = quote_ident(p_from) THEN quote_ident(p_to) ELSE token[1] END, '' ORDER BY place)
    FROM regexp_matches(
        p_expression,
        -- a string; a name with what says that it is no column's; any other character
        $token$('(?:[^']|'')*'|(?:::|\.|COLLATE )?(?:\w+|"(?:[^"]|"")*")(?:\.(?:\w+|"(?:[^"]|"")*"))*[(.]?|[^\w'"])$token$,
        'g') WITH ORDINALITY AS t (token, place)
$_$;


--
-- Name: require(boolean, text, text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.require(p_holds boolean, p_message text, p_hint text DEFAULT ''::text) RETURNS void
    LANGUAGE plpgsql PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF p_holds IS NOT TRUE THEN
        RAISE EXCEPTION USING
            ERRCODE = 'VS001',
            MESSAGE = coalesce(p_message, 'a check did not hold'),
            HINT = coalesce(p_hint, '');
    END IF;
END
$$;


--
-- Name: set_model(regclass, name, text, integer, text); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.set_model(p_table regclass, p_column name, p_model_name text, p_dimension integer, p_model_hash text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;


--
-- Name: swap_indexes(regclass, name, name); Type: FUNCTION; Schema: vestige_sql; Owner: -
--

CREATE FUNCTION vestige_sql.swap_indexes(p_table regclass, p_coming name, p_going name) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: applied; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.applied (
    id bigint NOT NULL,
    body text,
    embedding public.vector(12)
);


--
-- Name: applied_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.applied ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.applied_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: filling; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.filling (
    id bigint NOT NULL,
    body text,
    embedding public.vector(8),
    embedding_5897bd27802b5304 public.vector(12)
);


--
-- Name: filling_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.filling ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.filling_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: half_staged; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.half_staged (
    id bigint NOT NULL,
    body text,
    embedding public.vector(8)
);


--
-- Name: half_staged_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.half_staged ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.half_staged_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: kept_column; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.kept_column (
    id bigint NOT NULL,
    body text,
    former_embedding_5da9118eb315a54c public.vector(8),
    embedding public.vector(12)
);


--
-- Name: kept_column_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.kept_column ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.kept_column_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: kept_table; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.kept_table (
    id bigint NOT NULL,
    body text,
    embedding public.vector(12)
);


--
-- Name: kept_table_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.kept_table ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.kept_table_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: lacking; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.lacking (
    id bigint NOT NULL,
    body text,
    embedding public.vector(8)
);


--
-- Name: lacking_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.lacking ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.lacking_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: staged; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.staged (
    id bigint NOT NULL,
    body text,
    embedding public.vector(8)
);


--
-- Name: staged_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.staged ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.staged_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: switched; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.switched (
    id bigint NOT NULL,
    body text,
    former_embedding_d5bcc175c5191bec public.vector(8),
    embedding public.vector(12)
);


--
-- Name: switched_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.switched ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.switched_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: unindexed; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.unindexed (
    id bigint NOT NULL,
    body text,
    embedding public.vector(8)
);


--
-- Name: unindexed_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.unindexed ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.unindexed_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: verified; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.verified (
    id bigint NOT NULL,
    body text,
    embedding public.vector(8),
    embedding_3d86e6309f2372a3 public.vector(12)
);


--
-- Name: verified_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.verified ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.verified_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: went_back; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.went_back (
    id bigint NOT NULL,
    body text,
    embedding public.vector(8)
);


--
-- Name: went_back_id_seq; Type: SEQUENCE; Schema: app; Owner: -
--

ALTER TABLE app.went_back ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.went_back_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: _yoyo_log; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public._yoyo_log (
    id character varying(36) NOT NULL,
    migration_hash character varying(64),
    migration_id character varying(255),
    operation character varying(10),
    username character varying(255),
    hostname character varying(255),
    comment character varying(255),
    created_at_utc timestamp without time zone
);


--
-- Name: _yoyo_migration; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public._yoyo_migration (
    migration_hash character varying(64) NOT NULL,
    migration_id character varying(255),
    applied_at_utc timestamp without time zone
);


--
-- Name: _yoyo_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public._yoyo_version (
    version integer NOT NULL,
    installed_at_utc timestamp without time zone
);


--
-- Name: domains; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.domains (
    id text NOT NULL,
    label text NOT NULL,
    centroid public.vector,
    top_terms text[] DEFAULT '{}'::text[] NOT NULL,
    memory_count integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL
);


--
-- Name: edges; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.edges (
    source_id uuid NOT NULL,
    target_id uuid NOT NULL,
    edge_type text DEFAULT 'related'::text NOT NULL,
    weight double precision DEFAULT 1.0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: embedding_model; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.embedding_model (
    id integer DEFAULT 1 NOT NULL,
    model_name text NOT NULL,
    dimension integer NOT NULL,
    model_hash text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT embedding_model_dimension_check CHECK ((dimension > 0)),
    CONSTRAINT embedding_model_id_check CHECK ((id = 1))
);


--
-- Name: group_memberships; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.group_memberships (
    user_id uuid NOT NULL,
    group_id uuid NOT NULL,
    role text DEFAULT 'member'::text NOT NULL,
    joined_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT group_memberships_role_check CHECK ((role = ANY (ARRAY['member'::text, 'admin'::text])))
);


--
-- Name: groups; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.groups (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    handle text NOT NULL,
    display_name text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL
);


--
-- Name: knowledge_nodes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.knowledge_nodes (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    content text NOT NULL,
    node_type text DEFAULT 'general'::text NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    domains text[] DEFAULT '{}'::text[] NOT NULL,
    domain_scores jsonb DEFAULT '{}'::jsonb NOT NULL,
    embedding public.vector(8),
    codebase text,
    owner_user_id uuid DEFAULT '00000000-0000-0000-0000-000000000001'::uuid NOT NULL,
    visibility text DEFAULT 'private'::text NOT NULL,
    shared_with_groups uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    search_vec tsvector GENERATED ALWAYS AS (((setweight(to_tsvector('english'::regconfig, content), 'A'::"char") || setweight(to_tsvector('english'::regconfig, node_type), 'B'::"char")) || setweight(to_tsvector('english'::regconfig, public.vestige_tags_text(tags)), 'C'::"char"))) STORED,
    CONSTRAINT knowledge_nodes_visibility_check CHECK ((visibility = ANY (ARRAY['private'::text, 'group'::text, 'public'::text])))
);


--
-- Name: review_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.review_events (
    id bigint NOT NULL,
    memory_id uuid NOT NULL,
    "timestamp" timestamp with time zone DEFAULT now() NOT NULL,
    rating smallint NOT NULL,
    prior_state jsonb,
    new_state jsonb
);


--
-- Name: review_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.review_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: review_events_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.review_events_id_seq OWNED BY public.review_events.id;


--
-- Name: scheduling; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.scheduling (
    memory_id uuid NOT NULL,
    stability double precision,
    difficulty double precision,
    retrievability double precision,
    last_review timestamp with time zone,
    next_review timestamp with time zone,
    reps integer DEFAULT 0 NOT NULL,
    lapses integer DEFAULT 0 NOT NULL
);


--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    handle text NOT NULL,
    display_name text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL
);


--
-- Name: yoyo_lock; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.yoyo_lock (
    locked integer DEFAULT 1 NOT NULL,
    ctime timestamp without time zone,
    pid integer NOT NULL
);


--
-- Name: changed_3d86e6309f2372a3; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.changed_3d86e6309f2372a3 (
    change bigint NOT NULL,
    id bigint NOT NULL
);


--
-- Name: changed_3d86e6309f2372a3_change_seq; Type: SEQUENCE; Schema: vestige_sql; Owner: -
--

ALTER TABLE vestige_sql.changed_3d86e6309f2372a3 ALTER COLUMN change ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vestige_sql.changed_3d86e6309f2372a3_change_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: changed_5897bd27802b5304; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.changed_5897bd27802b5304 (
    change bigint NOT NULL,
    id bigint NOT NULL
);


--
-- Name: changed_5897bd27802b5304_change_seq; Type: SEQUENCE; Schema: vestige_sql; Owner: -
--

ALTER TABLE vestige_sql.changed_5897bd27802b5304 ALTER COLUMN change ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vestige_sql.changed_5897bd27802b5304_change_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: changed_d5bcc175c5191bec; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.changed_d5bcc175c5191bec (
    change bigint NOT NULL,
    id bigint NOT NULL
);


--
-- Name: changed_d5bcc175c5191bec_change_seq; Type: SEQUENCE; Schema: vestige_sql; Owner: -
--

ALTER TABLE vestige_sql.changed_d5bcc175c5191bec ALTER COLUMN change ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vestige_sql.changed_d5bcc175c5191bec_change_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: kept; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.kept (
    table_schema text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    place text NOT NULL,
    model_name text,
    dimension integer,
    model_hash text,
    index_names text[] DEFAULT '{}'::text[] NOT NULL,
    run_id bigint NOT NULL,
    kept_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT kept_place_check CHECK ((place = ANY (ARRAY['column'::text, 'table'::text])))
);


--
-- Name: TABLE kept; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.kept IS 'Former vectors of a column, of which model they are and where, until they are finalized';


--
-- Name: kept_9782b25f687a7b94; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.kept_9782b25f687a7b94 (
    id bigint NOT NULL,
    content_hash bytea NOT NULL,
    embedding public.vector NOT NULL
)
WITH (toast_tuple_target='4080');


--
-- Name: kept_f0453100c4532973; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.kept_f0453100c4532973 (
    id bigint NOT NULL,
    content_hash bytea NOT NULL,
    embedding public.vector NOT NULL
)
WITH (toast_tuple_target='4080');


--
-- Name: model; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.model (
    table_schema text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    model_name text NOT NULL,
    dimension integer NOT NULL,
    model_hash text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT model_dimension_check CHECK ((dimension > 0)),
    CONSTRAINT model_model_hash_check CHECK ((model_hash ~ '^[0-9a-f]{64}$'::text))
);


--
-- Name: TABLE model; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.model IS 'Which model the vectors of a column are of, for tables without a registry of their own';


--
-- Name: run; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.run (
    id bigint NOT NULL,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    scope text NOT NULL,
    from_name text,
    from_dimension integer,
    from_hash text,
    to_name text NOT NULL,
    to_dimension integer NOT NULL,
    to_hash text NOT NULL,
    state text DEFAULT 'staging'::text NOT NULL,
    way text,
    way_reason text,
    rows_total bigint,
    rows_written bigint,
    rows_blank bigint,
    filled_to text,
    filling_to text,
    fill_passes integer DEFAULT 0 NOT NULL,
    rows_filled bigint DEFAULT 0 NOT NULL,
    verified_file bigint,
    verified_at timestamp with time zone,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    applied_at timestamp with time zone,
    finished_at timestamp with time zone,
    duration_secs double precision,
    index_secs double precision,
    last_error text,
    variables jsonb DEFAULT '{}'::jsonb NOT NULL,
    started_by text DEFAULT SESSION_USER NOT NULL,
    server_version text DEFAULT current_setting('server_version'::text) NOT NULL,
    package_version text NOT NULL,
    CONSTRAINT run_scope_check CHECK ((scope = ANY (ARRAY['all'::text, 'missing'::text, 'index'::text, 'register'::text, 'back'::text]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['staging'::text, 'filling'::text, 'applied'::text, 'done'::text, 'aborted'::text]))),
    CONSTRAINT run_way_check CHECK ((way = ANY (ARRAY['rewrite'::text, 'widen'::text, 'swap'::text, 'fill'::text, 'online'::text, 'back'::text])))
);


--
-- Name: TABLE run; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.run IS 'One row a re-embedding: signatures from and to, way of applying, rows, durations, outcome';


--
-- Name: run_id_seq; Type: SEQUENCE; Schema: vestige_sql; Owner: -
--

ALTER TABLE vestige_sql.run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vestige_sql.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: saved_index; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.saved_index (
    table_schema text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    index_name text NOT NULL,
    built_as text NOT NULL,
    definition text NOT NULL,
    index_comment text,
    saved_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: TABLE saved_index; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.saved_index IS 'Vector indexes that a run dropped and has still to build, as they were';


--
-- Name: stage_3d86e6309f2372a3; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.stage_3d86e6309f2372a3 (
    id bigint NOT NULL,
    content_hash bytea NOT NULL,
    embedding public.vector(12) NOT NULL
)
WITH (toast_tuple_target='4080');


--
-- Name: TABLE stage_3d86e6309f2372a3; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.stage_3d86e6309f2372a3 IS 'vestige-sql: new vectors for app.verified.embedding, not yet in place';


--
-- Name: stage_55e698c787ad8bc6; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.stage_55e698c787ad8bc6 (
    id bigint NOT NULL,
    content_hash bytea NOT NULL,
    embedding public.vector(8) NOT NULL
)
WITH (toast_tuple_target='4080');


--
-- Name: TABLE stage_55e698c787ad8bc6; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.stage_55e698c787ad8bc6 IS 'vestige-sql: new vectors for app.lacking.embedding, not yet in place';


--
-- Name: stage_5897bd27802b5304; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.stage_5897bd27802b5304 (
    id bigint NOT NULL,
    content_hash bytea NOT NULL,
    embedding public.vector(12) NOT NULL
)
WITH (toast_tuple_target='4080');


--
-- Name: TABLE stage_5897bd27802b5304; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.stage_5897bd27802b5304 IS 'vestige-sql: new vectors for app.filling.embedding, not yet in place';


--
-- Name: stage_a47a5c18d98e41f1; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.stage_a47a5c18d98e41f1 (
    id uuid NOT NULL,
    content_hash bytea NOT NULL,
    embedding public.vector(12) NOT NULL
)
WITH (toast_tuple_target='4080');


--
-- Name: TABLE stage_a47a5c18d98e41f1; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.stage_a47a5c18d98e41f1 IS 'vestige-sql: new vectors for public.knowledge_nodes.embedding, not yet in place';


--
-- Name: stage_aea4653c976cdf2d; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.stage_aea4653c976cdf2d (
    id bigint NOT NULL,
    content_hash bytea NOT NULL,
    embedding public.vector(12) NOT NULL
)
WITH (toast_tuple_target='4080');


--
-- Name: TABLE stage_aea4653c976cdf2d; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.stage_aea4653c976cdf2d IS 'vestige-sql: new vectors for app.staged.embedding, not yet in place';


--
-- Name: stage_d5bcc175c5191bec; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.stage_d5bcc175c5191bec (
    id bigint NOT NULL,
    content_hash bytea NOT NULL,
    embedding public.vector(12) NOT NULL
)
WITH (toast_tuple_target='4080');


--
-- Name: TABLE stage_d5bcc175c5191bec; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.stage_d5bcc175c5191bec IS 'vestige-sql: new vectors for app.switched.embedding, not yet in place';


--
-- Name: stage_e6382b76d0d5929a; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.stage_e6382b76d0d5929a (
    id bigint NOT NULL,
    content_hash bytea NOT NULL,
    embedding public.vector(12) NOT NULL
)
WITH (toast_tuple_target='4080');


--
-- Name: TABLE stage_e6382b76d0d5929a; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.stage_e6382b76d0d5929a IS 'vestige-sql: new vectors for app.half_staged.embedding, not yet in place';


--
-- Name: step; Type: TABLE; Schema: vestige_sql; Owner: -
--

CREATE TABLE vestige_sql.step (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    file text NOT NULL,
    sha256 text NOT NULL,
    rows_affected bigint,
    started_at timestamp with time zone NOT NULL,
    duration_secs double precision NOT NULL,
    CONSTRAINT step_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text))
);


--
-- Name: TABLE step; Type: COMMENT; Schema: vestige_sql; Owner: -
--

COMMENT ON TABLE vestige_sql.step IS 'One row a step file that ran, with the SHA-256 of its bytes';


--
-- Name: step_id_seq; Type: SEQUENCE; Schema: vestige_sql; Owner: -
--

ALTER TABLE vestige_sql.step ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vestige_sql.step_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: review_events id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.review_events ALTER COLUMN id SET DEFAULT nextval('public.review_events_id_seq'::regclass);


--
-- Data for Name: applied; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.applied (id, body, embedding) FROM stdin;
1	applied, text 0	[0.70703125,0.26171875,0.36328125,0.60546875,0.48828125,0.24609375,0.23828125,-0.57421875,0.62109375,0.32421875,0.66015625,-0.76953125]
2	applied, text 1	[-0.01171875,-0.45703125,-0.15234375,0.11328125,-0.07421875,0.44140625,0.64453125,0.93359375,-0.39453125,0.04296875,-0.44921875,0.59765625]
3	applied, text 2	[-0.39453125,-0.98046875,0.67578125,-0.94921875,-0.94140625,0.44140625,-0.96484375,0.79296875,0.57421875,0.25390625,0.64453125,0.13671875]
4	applied, text 3	[0.16796875,0.25390625,0.01953125,-0.61328125,-0.26953125,0.19921875,0.76171875,-0.61328125,-0.80078125,0.62890625,0.65234375,-0.62890625]
5	applied, text 4	[0.91796875,0.59765625,-0.77734375,0.83984375,0.44921875,-0.25390625,0.53515625,0.73828125,-0.23828125,-0.50390625,-0.53515625,-0.36328125]
6	applied, text 5	[0.46484375,0.35546875,0.91796875,0.33203125,0.55078125,-0.39453125,0.57421875,0.73828125,0.36328125,-0.98828125,-0.34765625,0.01171875]
7	applied, text 6	[-0.87109375,-0.05078125,0.19140625,0.76953125,0.18359375,0.62890625,0.54296875,0.64453125,0.87890625,0.23046875,0.15234375,-0.23828125]
8	applied, text 7	[0.50390625,-0.93359375,0.26171875,-0.02734375,-0.58984375,-0.56640625,0.54296875,0.57421875,0.58984375,-0.22265625,0.60546875,0.36328125]
9	applied, text 8	[-0.14453125,-0.91015625,-0.29296875,0.01953125,-0.14453125,-0.26953125,0.22265625,-0.62890625,-0.76171875,-0.88671875,0.75390625,-0.77734375]
10	 	\N
\.


--
-- Data for Name: filling; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.filling (id, body, embedding, embedding_5897bd27802b5304) FROM stdin;
1	filling, text 0	[0.69921875,-0.48046875,0.77734375,-0.07421875,0.39453125,0.16015625,-0.55078125,0.07421875]	\N
3	filling, text 2	[-0.32421875,-0.70703125,-0.66015625,-0.97265625,-0.08984375,0.73046875,0.05078125,0.48046875]	\N
4	filling, text 3	[-0.41015625,0.91796875,-0.32421875,-0.53515625,0.19140625,0.20703125,-0.62890625,-0.41796875]	\N
5	filling, text 4	[0.76953125,0.55859375,0.12109375,-0.16015625,-0.12109375,-0.26171875,0.60546875,0.96484375]	\N
6	filling, text 5	[-0.33984375,-0.85546875,0.70703125,0.65234375,-0.23046875,0.65234375,0.89453125,-0.14453125]	\N
7	filling, text 6	[-0.71484375,-0.68359375,0.52734375,0.86328125,0.80859375,-0.90234375,-0.58203125,-0.15234375]	\N
10	 	\N	\N
9	filling, text 8	[-0.12109375,-0.51171875,0.51953125,-0.20703125,0.82421875,0.03515625,0.07421875,0.53515625]	[0.44921875,-0.77734375,-0.55078125,-0.77734375,0.63671875,0.59765625,-0.94140625,0.82421875,-0.26953125,-0.30859375,-0.39453125,-0.48828125]
2	filling, text 1, changed	[-0.14453125,0.93359375,0.00390625,-0.81640625,-0.97265625,0.41796875,0.16796875,-0.61328125]	\N
8	filling, text 7, changed	[0.62109375,-0.26953125,-0.83203125,0.15234375,-0.26171875,-0.32421875,-0.59765625,-0.66796875]	[0.38671875,0.26953125,-0.55859375,0.77734375,-0.93359375,0.31640625,0.39453125,0.42578125,0.98046875,0.39453125,-0.48046875,-0.13671875]
\.


--
-- Data for Name: half_staged; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.half_staged (id, body, embedding) FROM stdin;
1	half_staged, text 0	[0.54296875,-0.49609375,0.83203125,-0.05859375,-0.13671875,-0.18359375,0.51953125,-0.45703125]
2	half_staged, text 1	[-0.33203125,0.42578125,-0.00390625,-0.17578125,0.97265625,0.39453125,0.62109375,0.09765625]
3	half_staged, text 2	[-0.07421875,-0.86328125,-0.12109375,0.13671875,0.19140625,-0.30078125,-0.76953125,-0.81640625]
4	half_staged, text 3	[0.09765625,-0.84765625,0.35546875,0.09765625,-0.05078125,0.94140625,-0.87890625,-0.85546875]
5	half_staged, text 4	[-0.16796875,-0.14453125,-0.04296875,-0.79296875,0.69140625,0.93359375,-0.69140625,0.38671875]
6	half_staged, text 5	[-0.05859375,-0.63671875,0.09765625,-0.07421875,0.96484375,0.53515625,0.35546875,-0.92578125]
7	half_staged, text 6	[0.14453125,0.91015625,0.53515625,-0.19921875,-0.41796875,-0.21484375,-0.98046875,-0.51171875]
8	half_staged, text 7	[0.08984375,-0.48828125,0.74609375,-0.57421875,-0.39453125,-0.48828125,0.70703125,-0.40234375]
9	half_staged, text 8	[0.32421875,0.10546875,-0.44921875,-0.27734375,-0.95703125,0.16015625,-0.87109375,0.04296875]
10	 	\N
\.


--
-- Data for Name: kept_column; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.kept_column (id, body, former_embedding_5da9118eb315a54c, embedding) FROM stdin;
10	 	\N	\N
8	kept_column, text 7	[-0.78515625,0.85546875,-0.92578125,0.19140625,0.47265625,0.10546875,0.89453125,-0.84765625]	[0.08203125,-0.47265625,-0.10546875,-0.28515625,0.68359375,0.31640625,-0.65234375,0.44921875,0.58984375,0.41796875,0.68359375,-0.80859375]
9	kept_column, text 8	[0.35546875,-0.78515625,-0.80078125,-0.24609375,-0.15234375,-0.40234375,0.04296875,0.17578125]	[0.89453125,0.54296875,-0.42578125,0.25390625,0.88671875,-0.04296875,-0.81640625,-0.22265625,-0.21484375,-0.51953125,-0.30078125,-0.98046875]
2	kept_column, text 1	[0.39453125,0.51171875,0.83203125,-0.88671875,-0.45703125,-0.41796875,0.19140625,-0.37109375]	[-0.44921875,-0.08203125,0.66015625,0.90234375,0.26953125,-0.32421875,0.62109375,0.29296875,0.76171875,0.91015625,0.62109375,-0.29296875]
5	kept_column, text 4	[0.87890625,-0.26953125,-0.56640625,0.13671875,-0.41015625,0.23046875,0.87109375,0.98046875]	[0.43359375,-0.37109375,-0.20703125,-0.26953125,0.13671875,-0.16015625,0.66796875,-0.93359375,0.68359375,-0.14453125,0.76171875,-0.97265625]
3	kept_column, text 2	[0.34765625,0.60546875,-0.21484375,-0.88671875,-0.06640625,-0.99609375,0.94140625,-0.37109375]	[0.33984375,0.60546875,0.41796875,0.57421875,0.51953125,0.26953125,-0.41796875,-0.21484375,-0.37890625,-0.51953125,0.30078125,-0.19140625]
1	kept_column, text 0	[0.48828125,0.31640625,0.30859375,0.08203125,-0.26953125,0.68359375,0.39453125,0.78515625]	[0.85546875,-0.57421875,0.78515625,-0.41015625,0.16796875,-0.53515625,-0.23046875,-0.76171875,0.01953125,-0.94140625,-0.58984375,-0.63671875]
7	kept_column, text 6	[-0.25390625,0.62109375,0.65234375,-0.70703125,-0.23046875,0.73828125,0.93359375,0.38671875]	[-0.21484375,-0.59765625,-0.77734375,0.33984375,-0.66796875,-0.06640625,-0.60546875,-0.14453125,-0.51953125,-0.09765625,0.97265625,-0.13671875]
4	kept_column, text 3	[0.74609375,0.01953125,-0.06640625,-0.76171875,0.53515625,0.13671875,0.83984375,-0.77734375]	[-0.16796875,-0.14453125,-0.89453125,0.93359375,0.26953125,-0.44140625,-0.69140625,0.66796875,0.69921875,-0.81640625,-0.73828125,-0.28515625]
6	kept_column, text 5	[0.14453125,-0.69140625,0.17578125,-0.75390625,-0.51953125,0.37890625,-0.78515625,-0.41796875]	[0.50390625,-0.96484375,-0.28515625,-0.97265625,-0.75390625,0.60546875,0.41015625,-0.67578125,-0.56640625,-0.98828125,0.91015625,-0.55078125]
\.


--
-- Data for Name: kept_table; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.kept_table (id, body, embedding) FROM stdin;
1	kept_table, text 0	[-0.30078125,-0.08984375,0.19140625,0.39453125,-0.47265625,0.52734375,0.82421875,0.97265625,-0.61328125,-0.95703125,0.21484375,0.88671875]
2	kept_table, text 1	[0.02734375,-0.80078125,0.79296875,-0.69921875,0.28515625,0.98046875,-0.66015625,0.35546875,0.72265625,-0.09765625,-0.03515625,0.75390625]
3	kept_table, text 2	[0.26953125,0.23046875,-0.24609375,0.16796875,-0.06640625,0.68359375,-0.17578125,0.87890625,0.64453125,0.08984375,0.51171875,-0.83984375]
4	kept_table, text 3	[0.30078125,-0.91015625,-0.31640625,0.26953125,0.63671875,-0.44140625,-0.23046875,0.36328125,-0.87890625,-0.58203125,0.97265625,-0.12890625]
5	kept_table, text 4	[0.45703125,-0.34765625,0.68359375,0.42578125,-0.51953125,0.19921875,-0.15234375,-0.47265625,0.73046875,0.19140625,0.14453125,-0.46484375]
6	kept_table, text 5	[-0.94140625,-0.57421875,0.34765625,0.16796875,-0.09765625,0.98828125,-0.77734375,-0.97265625,0.31640625,-0.58984375,-0.84765625,-0.97265625]
7	kept_table, text 6	[-0.12890625,-0.07421875,0.90234375,0.61328125,-0.79296875,-0.55859375,-0.62890625,-0.12890625,-0.16796875,-0.34765625,0.24609375,0.89453125]
8	kept_table, text 7	[0.65234375,-0.56640625,-0.27734375,-0.46484375,-0.96484375,-0.31640625,0.33984375,0.82421875,-0.76171875,-0.97265625,0.26953125,0.85546875]
9	kept_table, text 8	[-0.55078125,-0.48828125,0.16796875,-0.36328125,-0.32421875,-0.58203125,0.44140625,0.13671875,0.16015625,-0.78515625,-0.13671875,0.51171875]
10	 	\N
\.


--
-- Data for Name: lacking; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.lacking (id, body, embedding) FROM stdin;
1	lacking, text 0	[-0.34765625,0.49609375,0.39453125,-0.26171875,0.02734375,-0.91015625,0.95703125,0.51953125]
2	lacking, text 1	[0.88671875,-0.30859375,-0.27734375,-0.68359375,0.08203125,0.80078125,-0.08203125,0.70703125]
3	lacking, text 2	[0.10546875,0.00390625,0.04296875,0.22265625,0.87109375,0.68359375,-0.30859375,0.11328125]
4	lacking, text 3	\N
5	lacking, text 4	\N
6	lacking, text 5	\N
7	lacking, text 6	\N
8	lacking, text 7	\N
9	lacking, text 8	\N
10	 	\N
\.


--
-- Data for Name: staged; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.staged (id, body, embedding) FROM stdin;
1	staged, text 0	[0.00390625,0.93359375,0.83984375,0.04296875,0.16015625,-0.54296875,0.06640625,-0.60546875]
2	staged, text 1	[0.61328125,0.26953125,0.01953125,0.18359375,-0.10546875,-0.07421875,0.22265625,-0.12890625]
3	staged, text 2	[0.97265625,-0.94921875,0.14453125,-0.73046875,0.58984375,0.33984375,-0.62890625,-0.35546875]
4	staged, text 3	[-0.55078125,0.69140625,0.12109375,-0.90234375,-0.03515625,-0.66015625,0.76171875,0.48828125]
5	staged, text 4	[0.52734375,0.98046875,0.66796875,-0.38671875,-0.31640625,-0.54296875,0.66015625,-0.19921875]
6	staged, text 5	[0.30078125,-0.76171875,-0.19921875,0.07421875,0.06640625,0.60546875,0.27734375,0.22265625]
7	staged, text 6	[-0.38671875,-0.62109375,0.82421875,0.83203125,0.67578125,0.08203125,-0.84765625,-0.11328125]
8	staged, text 7	[0.07421875,0.95703125,-0.59765625,0.20703125,-0.16796875,-0.75390625,0.55078125,0.37109375]
9	staged, text 8	[0.59765625,0.83984375,0.79296875,-0.80078125,-0.95703125,0.91796875,0.09765625,-0.52734375]
10	 	\N
\.


--
-- Data for Name: switched; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.switched (id, body, former_embedding_d5bcc175c5191bec, embedding) FROM stdin;
10	 	\N	\N
8	switched, text 7	[0.32421875,0.71484375,-0.54296875,-0.67578125,0.27734375,0.34765625,0.73046875,-0.29296875]	[0.85546875,-0.59765625,-0.33203125,0.48828125,-0.05078125,-0.55859375,0.03515625,-0.30859375,0.08984375,-0.02734375,0.84765625,-0.94921875]
9	switched, text 8	[-0.11328125,-0.98828125,-0.85546875,0.51953125,-0.51171875,0.19140625,0.45703125,-0.53515625]	[0.66015625,0.87890625,-0.37890625,0.83984375,0.09765625,-0.43359375,-0.39453125,-0.88671875,-0.44140625,0.38671875,0.72265625,0.61328125]
2	switched, text 1	[-0.66015625,-0.83984375,0.61328125,-0.76953125,-0.63671875,-0.81640625,-0.83984375,0.08984375]	[0.98046875,-0.76171875,-0.25390625,-0.48828125,0.73828125,-0.93359375,0.63671875,0.23828125,0.39453125,0.64453125,-0.62890625,0.11328125]
5	switched, text 4	[0.84765625,-0.38671875,0.73046875,0.91015625,-0.46484375,0.24609375,0.24609375,0.25390625]	[-0.12890625,0.79296875,-0.57421875,0.90234375,0.05078125,-0.15234375,0.14453125,0.53515625,-0.87890625,-0.69140625,0.79296875,0.79296875]
3	switched, text 2	[0.94921875,0.28515625,0.81640625,-0.95703125,-0.41015625,-0.05078125,0.66015625,0.55078125]	[0.01953125,-0.16796875,0.13671875,0.20703125,-0.68359375,-0.23046875,0.30078125,0.60546875,-0.62890625,0.73828125,-0.77734375,-0.92578125]
1	switched, text 0	[0.51171875,0.10546875,0.98828125,-0.11328125,0.55078125,-0.92578125,0.25390625,0.13671875]	[-0.12109375,0.11328125,-0.42578125,-0.22265625,-0.19140625,0.36328125,-0.66796875,-0.26953125,0.48046875,0.90234375,-0.34765625,0.63671875]
7	switched, text 6	[0.44140625,-0.69921875,0.43359375,0.26953125,-0.45703125,0.05859375,0.93359375,-0.66015625]	[0.01953125,-0.92578125,0.39453125,0.22265625,-0.77734375,-0.46484375,-0.05859375,-0.27734375,-0.10546875,-0.62890625,-0.28515625,-0.35546875]
4	switched, text 3	[-0.40234375,-0.22265625,-0.80078125,0.30859375,-0.60546875,-0.70703125,0.41796875,-0.58984375]	[0.83203125,0.85546875,0.37890625,-0.32421875,-0.23828125,-0.49609375,-0.39453125,-0.75390625,0.30859375,-0.89453125,-0.40234375,0.23046875]
6	switched, text 5	[0.48046875,-0.76953125,0.70703125,-0.00390625,-0.77734375,0.69921875,0.13671875,0.22265625]	[-0.75390625,-0.76171875,0.51953125,-0.11328125,0.24609375,-0.73046875,0.64453125,0.13671875,0.35546875,0.04296875,-0.53515625,-0.50390625]
\.


--
-- Data for Name: unindexed; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.unindexed (id, body, embedding) FROM stdin;
1	unindexed, text 0	[0.95703125,0.04296875,0.98828125,0.38671875,-0.39453125,-0.51953125,-0.12890625,-0.71484375]
2	unindexed, text 1	[0.51171875,0.88671875,0.09765625,0.80859375,-0.77734375,0.59765625,-0.37890625,-0.69921875]
3	unindexed, text 2	[0.94921875,0.12109375,0.16015625,0.67578125,0.60546875,-0.80078125,-0.01171875,0.08203125]
4	unindexed, text 3	[-0.62890625,0.69921875,0.97265625,0.35546875,0.01171875,-0.07421875,-0.62890625,-0.09765625]
5	unindexed, text 4	[0.59765625,-0.67578125,-0.33203125,-0.03515625,0.23828125,-0.78515625,-0.84765625,-0.51953125]
6	unindexed, text 5	[-0.15234375,0.00390625,0.94921875,0.32421875,0.66796875,0.01171875,0.11328125,0.41796875]
7	unindexed, text 6	[-0.74609375,-0.76171875,0.87890625,0.69921875,-0.05859375,-0.08203125,-0.10546875,0.98828125]
8	unindexed, text 7	[0.66015625,-0.09765625,-0.44140625,0.77734375,-0.30078125,-0.08203125,0.52734375,-0.46484375]
9	unindexed, text 8	[0.21484375,0.58984375,0.34765625,-0.53515625,0.01953125,0.17578125,-0.26171875,0.25390625]
10	 	\N
\.


--
-- Data for Name: verified; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.verified (id, body, embedding, embedding_3d86e6309f2372a3) FROM stdin;
10	 	\N	\N
9	verified, text 8	[0.58203125,0.92578125,0.23828125,-0.33203125,0.25390625,-0.89453125,0.27734375,0.45703125]	[0.79296875,0.89453125,-0.24609375,0.59765625,0.41796875,0.65234375,0.44140625,-0.58984375,-0.25390625,-0.58984375,0.88671875,0.64453125]
5	verified, text 4	[0.61328125,-0.92578125,-0.41015625,0.93359375,-0.50390625,0.03515625,0.39453125,0.99609375]	[0.16796875,-0.22265625,-0.08984375,0.27734375,0.37109375,0.64453125,-0.54296875,-0.00390625,-0.20703125,0.91015625,-0.03515625,-0.55859375]
3	verified, text 2	[-0.23046875,-0.58203125,-0.55078125,-0.53515625,0.41015625,-0.44140625,0.96484375,0.76171875]	[0.41015625,-0.57421875,-0.09765625,-0.83984375,-0.69140625,-0.89453125,-0.43359375,0.69140625,0.67578125,-0.88671875,-0.19921875,-0.16796875]
1	verified, text 0	[-0.41015625,-0.80859375,-0.17578125,-0.68359375,0.60546875,0.40234375,0.19921875,0.87890625]	[0.73828125,-0.59765625,0.72265625,-0.91796875,-0.51953125,-0.56640625,0.06640625,-0.51171875,0.33203125,-0.66796875,0.35546875,0.91015625]
7	verified, text 6	[0.19921875,0.60546875,0.83203125,-0.81640625,0.66796875,-0.24609375,0.19140625,-0.45703125]	[-0.34765625,0.26171875,-0.01171875,-0.18359375,-0.89453125,0.00390625,-0.58984375,-0.62109375,-0.30859375,-0.34765625,0.66796875,-0.76171875]
4	verified, text 3	[-0.28515625,0.38671875,-0.88671875,0.90234375,-0.69921875,0.55859375,-0.76171875,0.85546875]	[-0.29296875,0.07421875,0.35546875,-0.67578125,0.41015625,0.94921875,-0.39453125,-0.46484375,-0.08203125,0.73828125,0.37890625,-0.24609375]
6	verified, text 5	[0.15234375,0.38671875,-0.34765625,0.32421875,0.23828125,0.26953125,-0.83203125,0.66015625]	[0.53515625,0.89453125,0.58203125,-0.21484375,-0.05859375,0.27734375,-0.64453125,0.49609375,0.82421875,0.92578125,0.68359375,0.37109375]
8	verified, text 7, changed	[-0.09765625,-0.46484375,0.63671875,0.61328125,0.01953125,-0.69921875,-0.57421875,-0.37109375]	[0.25390625,-0.65234375,0.32421875,-0.83984375,-0.97265625,0.23046875,0.51953125,-0.36328125,0.23046875,-0.34765625,0.12890625,-0.94140625]
2	verified, text 1, changed	[0.72265625,0.44140625,0.02734375,-0.00390625,0.48046875,-0.58203125,-0.19921875,0.32421875]	[-0.89453125,-0.59765625,-0.50390625,0.51953125,-0.78515625,0.77734375,0.96484375,0.25390625,-0.41796875,0.25390625,-0.05078125,-0.87109375]
\.


--
-- Data for Name: went_back; Type: TABLE DATA; Schema: app; Owner: -
--

COPY app.went_back (id, body, embedding) FROM stdin;
1	went_back, text 0	[0.75390625,-0.24609375,-0.05078125,0.74609375,-0.23828125,0.67578125,0.13671875,0.34765625]
2	went_back, text 1	[0.09765625,0.61328125,0.51171875,-0.47265625,0.74609375,0.69140625,-0.42578125,-0.36328125]
3	went_back, text 2	[-0.49609375,-0.94140625,-0.34765625,0.75390625,0.42578125,-0.23828125,0.86328125,-0.09765625]
4	went_back, text 3	[-0.02734375,-0.19140625,-0.80078125,-0.41015625,-0.13671875,-0.08203125,0.93359375,-0.31640625]
5	went_back, text 4	[-0.48828125,-0.48046875,-0.65234375,-0.45703125,-0.69140625,0.22265625,0.02734375,0.04296875]
6	went_back, text 5	[-0.23046875,0.80859375,0.08203125,-0.74609375,0.77734375,-0.10546875,-0.13671875,0.08203125]
7	went_back, text 6	[0.65234375,0.60546875,0.93359375,-0.69140625,0.66796875,0.83984375,-0.54296875,-0.83203125]
8	went_back, text 7	[0.48828125,0.29296875,-0.28515625,-0.25390625,-0.90234375,-0.87890625,0.58203125,0.21484375]
9	went_back, text 8	[0.41015625,0.49609375,0.51953125,-0.83984375,-0.91796875,-0.33203125,-0.51953125,-0.91015625]
10	 	\N
\.


--
-- Data for Name: _yoyo_log; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public._yoyo_log (id, migration_hash, migration_id, operation, username, hostname, comment, created_at_utc) FROM stdin;
546aea1c-eb01-11f1-810b-02fc00000001	80d448607e02943553d30e6a2c6d4a83577f3ce023dce3651fe886a405b75d3d	0001_init	apply	dba	example	\N	2026-11-28 07:57:16.8997
54701244-eb01-11f1-810b-02fc00000001	ae3ad1ed584d94a58883ee127bbba58356777be23ee36e331b6c3543588c0152	reembed_0001_schema	apply	dba	example	\N	2026-11-28 07:57:16.932315
5471df16-eb01-11f1-810b-02fc00000001	a19c4b459d972342b2d8ef3479b46b54ab93e2766b176c09946f5069c121dd33	reembed_0002_functions	apply	dba	example	\N	2026-11-28 07:57:16.94408
54730ec2-eb01-11f1-810b-02fc00000001	3533c4be20b1a9990915b56d7ca230572d9081f533abbda885f43f053fe3b3bd	reembed_0003_copy	apply	dba	example	\N	2026-11-28 07:57:16.951857
547f7f7c-eb01-11f1-810b-02fc00000001	0eac207da75672668a02f546ae98c9e57f326ea5cdaff9621029f5258ec6235e	0002_hnsw	apply	dba	example	\N	2026-11-28 07:57:17.033446
\.


--
-- Data for Name: _yoyo_migration; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public._yoyo_migration (migration_hash, migration_id, applied_at_utc) FROM stdin;
80d448607e02943553d30e6a2c6d4a83577f3ce023dce3651fe886a405b75d3d	0001_init	2026-11-28 07:57:16.902396
ae3ad1ed584d94a58883ee127bbba58356777be23ee36e331b6c3543588c0152	reembed_0001_schema	2026-11-28 07:57:16.934235
a19c4b459d972342b2d8ef3479b46b54ab93e2766b176c09946f5069c121dd33	reembed_0002_functions	2026-11-28 07:57:16.945445
3533c4be20b1a9990915b56d7ca230572d9081f533abbda885f43f053fe3b3bd	reembed_0003_copy	2026-11-28 07:57:16.953041
0eac207da75672668a02f546ae98c9e57f326ea5cdaff9621029f5258ec6235e	0002_hnsw	2026-11-28 07:57:17.035355
\.


--
-- Data for Name: _yoyo_version; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public._yoyo_version (version, installed_at_utc) FROM stdin;
2	2026-11-28 07:57:16.808432
\.


--
-- Data for Name: domains; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.domains (id, label, centroid, top_terms, memory_count, created_at, metadata) FROM stdin;
\.


--
-- Data for Name: edges; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.edges (source_id, target_id, edge_type, weight, created_at) FROM stdin;
1ba8de78-4b86-4cde-9c7c-f976e4bdbf31	78cf007e-41ef-4e0d-933b-7e4f0575a193	related	0.5	2026-11-28 07:57:16.9605+00
78cf007e-41ef-4e0d-933b-7e4f0575a193	8875d4df-be95-488b-b5b3-7ee4a476f22c	related	0.5	2026-11-28 07:57:16.9605+00
8875d4df-be95-488b-b5b3-7ee4a476f22c	8fc1524c-1cc9-4839-b4c3-03cc9744a09b	related	0.5	2026-11-28 07:57:16.9605+00
8fc1524c-1cc9-4839-b4c3-03cc9744a09b	c5f55f54-b25f-43b1-8b33-92d7771ea7e2	related	0.5	2026-11-28 07:57:16.9605+00
c5f55f54-b25f-43b1-8b33-92d7771ea7e2	d7b3af36-7e9e-44cb-8877-968c722c918c	related	0.5	2026-11-28 07:57:16.9605+00
d7b3af36-7e9e-44cb-8877-968c722c918c	da423c56-a85c-495c-98f2-5865e5b74e01	related	0.5	2026-11-28 07:57:16.9605+00
da423c56-a85c-495c-98f2-5865e5b74e01	ded7775f-e656-4b6f-89d3-892285434eec	related	0.5	2026-11-28 07:57:16.9605+00
ded7775f-e656-4b6f-89d3-892285434eec	e7c6b9ea-92cb-4a5a-91ab-1fcbe2b17ad2	related	0.5	2026-11-28 07:57:16.9605+00
e7c6b9ea-92cb-4a5a-91ab-1fcbe2b17ad2	1ba8de78-4b86-4cde-9c7c-f976e4bdbf31	related	0.5	2026-11-28 07:57:16.9605+00
\.


--
-- Data for Name: embedding_model; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.embedding_model (id, model_name, dimension, model_hash, created_at, updated_at) FROM stdin;
1	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	2026-11-28 07:57:16.999421+00	2026-11-28 07:57:16.999421+00
\.


--
-- Data for Name: group_memberships; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.group_memberships (user_id, group_id, role, joined_at) FROM stdin;
\.


--
-- Data for Name: groups; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.groups (id, handle, display_name, created_at, metadata) FROM stdin;
1c69a04e-c655-459e-b7f7-545a1c0c65ea	team	\N	2026-11-28 07:57:16.954328+00	{}
\.


--
-- Data for Name: knowledge_nodes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.knowledge_nodes (id, content, node_type, tags, metadata, domains, domain_scores, embedding, codebase, owner_user_id, visibility, shared_with_groups, created_at, updated_at) FROM stdin;
ded7775f-e656-4b6f-89d3-892285434eec	memory number 0	fact	{tag0,seeded}	{"n": 0, "deep": ["memory number 0"]}	{domain0}	{"domain0": 0.25}	[0.65234375,0.21484375,-0.86328125,-0.97265625,-0.26171875,0.45703125,0.53515625,0.52734375]	\N	00000000-0000-0000-0000-000000000001	private	{1c69a04e-c655-459e-b7f7-545a1c0c65ea}	2024-01-01 00:00:00+00	2024-06-01 00:00:00+00
78cf007e-41ef-4e0d-933b-7e4f0575a193	memory number 1	decision	{tag1,seeded}	{"n": 1, "deep": ["memory number 1"]}	{domain1}	{"domain1": 0.25}	[-0.16015625,0.36328125,0.79296875,-0.96484375,0.32421875,0.30859375,0.03515625,-0.01953125]	repo1	00000000-0000-0000-0000-000000000001	group	{1c69a04e-c655-459e-b7f7-545a1c0c65ea}	2024-01-01 00:01:00+00	2024-06-01 00:00:01+00
1ba8de78-4b86-4cde-9c7c-f976e4bdbf31	memory number 2	event	{tag2,seeded}	{"n": 2, "deep": ["memory number 2"]}	{domain2}	{"domain2": 0.25}	[-0.27734375,0.65234375,-0.21484375,0.62109375,-0.56640625,-0.32421875,0.83203125,0.02734375]	repo2	00000000-0000-0000-0000-000000000001	public	{1c69a04e-c655-459e-b7f7-545a1c0c65ea}	2024-01-01 00:02:00+00	2024-06-01 00:00:02+00
8fc1524c-1cc9-4839-b4c3-03cc9744a09b	memory number 3	fact	{tag3,seeded}	{"n": 3, "deep": ["memory number 3"]}	{domain3}	{"domain3": 0.25}	[-0.05859375,-0.91015625,-0.79296875,-0.58984375,0.89453125,-0.48046875,-0.16796875,-0.55859375]	repo3	00000000-0000-0000-0000-000000000001	private	{1c69a04e-c655-459e-b7f7-545a1c0c65ea}	2024-01-01 00:03:00+00	2024-06-01 00:00:03+00
d7b3af36-7e9e-44cb-8877-968c722c918c	memory number 4	decision	{tag4,seeded}	{"n": 4, "deep": ["memory number 4"]}	{domain4}	{"domain4": 0.25}	[-0.75390625,0.82421875,-0.60546875,-0.69140625,0.91015625,-0.12109375,-0.09765625,0.58203125]	\N	00000000-0000-0000-0000-000000000001	group	{1c69a04e-c655-459e-b7f7-545a1c0c65ea}	2024-01-01 00:04:00+00	2024-06-01 00:00:04+00
8875d4df-be95-488b-b5b3-7ee4a476f22c	memory number 5	event	{tag5,seeded}	{"n": 5, "deep": ["memory number 5"]}	{domain0}	{"domain0": 0.25}	[0.23046875,-0.98046875,0.76171875,0.33984375,-0.26953125,-0.78515625,0.69140625,-0.42578125]	repo1	00000000-0000-0000-0000-000000000001	public	{1c69a04e-c655-459e-b7f7-545a1c0c65ea}	2024-01-01 00:05:00+00	2024-06-01 00:00:05+00
da423c56-a85c-495c-98f2-5865e5b74e01	memory number 6	fact	{tag6,seeded}	{"n": 6, "deep": ["memory number 6"]}	{domain1}	{"domain1": 0.25}	[0.11328125,-0.24609375,0.02734375,-0.03515625,0.24609375,0.43359375,0.20703125,0.21484375]	repo2	00000000-0000-0000-0000-000000000001	private	{1c69a04e-c655-459e-b7f7-545a1c0c65ea}	2024-01-01 00:06:00+00	2024-06-01 00:00:06+00
c5f55f54-b25f-43b1-8b33-92d7771ea7e2	memory number 7	decision	{tag0,seeded}	{"n": 7, "deep": ["memory number 7"]}	{domain2}	{"domain2": 0.25}	[0.62109375,-0.67578125,0.25390625,0.07421875,-0.29296875,-0.69921875,0.33984375,0.57421875]	repo3	00000000-0000-0000-0000-000000000001	group	{1c69a04e-c655-459e-b7f7-545a1c0c65ea}	2024-01-01 00:07:00+00	2024-06-01 00:00:07+00
e7c6b9ea-92cb-4a5a-91ab-1fcbe2b17ad2	memory number 8	event	{tag1,seeded}	{"n": 8, "deep": ["memory number 8"]}	{domain3}	{"domain3": 0.25}	[0.62109375,0.64453125,0.60546875,0.67578125,-0.48828125,0.66015625,0.20703125,0.23046875]	\N	00000000-0000-0000-0000-000000000001	public	{1c69a04e-c655-459e-b7f7-545a1c0c65ea}	2024-01-01 00:08:00+00	2024-06-01 00:00:08+00
\.


--
-- Data for Name: review_events; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.review_events (id, memory_id, "timestamp", rating, prior_state, new_state) FROM stdin;
\.


--
-- Data for Name: scheduling; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.scheduling (memory_id, stability, difficulty, retrievability, last_review, next_review, reps, lapses) FROM stdin;
\.


--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.users (id, handle, display_name, created_at, metadata) FROM stdin;
00000000-0000-0000-0000-000000000001	local	Local user	2026-11-28 07:57:16.845893+00	{}
\.


--
-- Data for Name: yoyo_lock; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.yoyo_lock (locked, ctime, pid) FROM stdin;
\.


--
-- Data for Name: changed_3d86e6309f2372a3; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.changed_3d86e6309f2372a3 (change, id) FROM stdin;
1	8
2	2
\.


--
-- Data for Name: changed_5897bd27802b5304; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.changed_5897bd27802b5304 (change, id) FROM stdin;
1	2
2	8
\.


--
-- Data for Name: changed_d5bcc175c5191bec; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.changed_d5bcc175c5191bec (change, id) FROM stdin;
\.


--
-- Data for Name: kept; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.kept (table_schema, table_name, column_name, place, model_name, dimension, model_hash, index_names, run_id, kept_at) FROM stdin;
app	kept_table	embedding	table	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	{}	1	2026-11-28 07:57:17.644651+00
app	kept_column	embedding	column	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	{kept_column_hnsw}	2	2026-11-28 07:57:17.91404+00
app	switched	embedding	column	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	{switched_hnsw}	11	2026-11-28 07:57:18.762707+00
app	went_back	embedding	table	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	{}	13	2026-11-28 07:57:19.011038+00
\.


--
-- Data for Name: kept_9782b25f687a7b94; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.kept_9782b25f687a7b94 (id, content_hash, embedding) FROM stdin;
1	\\xcc5c663591662cbe5533c0e12778e0b3db194e67195f0985602ddba886099507	[-0.02734375,0.68359375,0.58203125,-0.58984375,0.05078125,0.84765625,0.85546875,0.31640625,0.62109375,0.07421875,-0.15234375,-0.26171875]
2	\\xe87090bfd1876136b1b38cb2019aa67bce6dad465be57a750e23451b94629342	[0.24609375,-0.68359375,0.98046875,0.23828125,-0.48828125,-0.56640625,0.33203125,-0.49609375,-0.61328125,0.05078125,0.04296875,0.57421875]
3	\\xef477387517a44cab59dc9722b3fa6f59f31f9a866ddb76f41e8fbbcf6671a73	[-0.57421875,0.30859375,0.69921875,-0.76953125,-0.83203125,-0.44140625,0.80078125,-0.16015625,-0.45703125,-0.87109375,0.97265625,0.51171875]
4	\\xa15d0e20b3fb68abb544c9ae778a50c0a116a8f802eaf7d297c70f0f83f9bdf2	[0.66796875,-0.16015625,0.56640625,-0.86328125,0.88671875,-0.94140625,-0.37109375,-0.58984375,-0.28515625,-0.24609375,0.16015625,-0.94921875]
5	\\xbdaba539627ff4f4eaf58873e8f199a604deaaf2385eae19ef03e0c627db1ad3	[0.88671875,-0.42578125,-0.05078125,-0.48046875,0.55078125,-0.44921875,-0.20703125,0.41015625,-0.58984375,0.08984375,0.22265625,0.05078125]
6	\\xeab293a46f4df04db2c8e0139d5d59daf99f3ebbd3dfa97de4cee72366b754a6	[0.66015625,0.07421875,-0.73046875,-0.73046875,-0.19140625,0.25390625,0.43359375,0.57421875,0.15234375,0.41015625,-0.77734375,-0.57421875]
7	\\xf7bb0019a6ed138b1e8a68f53c0ccd511b52b5fe5f6164d6e1eda5633755a21c	[0.34765625,-0.52734375,-0.22265625,0.36328125,-0.25390625,-0.69921875,-0.23046875,0.88671875,-0.22265625,0.78515625,0.98828125,-0.87109375]
8	\\xd6858923e6c6e0a75d83bfccfc8314b6b68152d669cbc594fa9d2e8aa87030f4	[0.62890625,-0.38671875,-0.19140625,0.09765625,-0.60546875,0.59765625,0.19140625,-0.41015625,-0.32421875,-0.05859375,0.08203125,-0.70703125]
9	\\x5173cfad08467eff43827a70e51cfc4a5b73f4daf2e3d2a600b7e9b2057f040d	[0.37109375,0.79296875,0.76953125,-0.12890625,-0.13671875,0.09765625,-0.70703125,-0.56640625,0.66796875,-0.69921875,0.12890625,-0.05078125]
\.


--
-- Data for Name: kept_f0453100c4532973; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.kept_f0453100c4532973 (id, content_hash, embedding) FROM stdin;
1	\\x0eaa4f592be886c68bb34d7571f53d0637437e70a9749008773fc5add85cd969	[-0.42578125,0.66796875,0.67578125,0.81640625,0.06640625,0.28515625,0.91796875,0.11328125]
2	\\x656540e51e2ed1d6cd51ee27c8f3fc1fef85b2be32c5e52a2e9231c58900916e	[0.05078125,0.99609375,0.18359375,-0.67578125,-0.19140625,-0.19140625,0.75390625,0.73828125]
3	\\x67db8286b521c520e31a11d9c3e053f0aa66bfecef1fa94f29095134f2cea55c	[0.98046875,-0.59765625,-0.84765625,-0.28515625,-0.39453125,-0.90234375,-0.58984375,-0.35546875]
4	\\xe1e254db709e76d2f35740ec629a39ff4170178c839c4745a4a3714e1e65024b	[-0.89453125,0.09765625,0.41796875,0.52734375,0.70703125,-0.96484375,0.32421875,0.07421875]
5	\\xe2837e706741dc05e55f43466d8aa8cd9071c5eed3d3e45b3c6cdf6a4dc85095	[-0.05078125,-0.24609375,-0.66796875,-0.07421875,-0.49609375,0.65234375,-0.74609375,-0.92578125]
6	\\x09c20e2f107352e1235760de84a33fca44dd5acbe887bb13573299480f2c75d9	[-0.68359375,0.58984375,0.43359375,0.19140625,-0.51953125,-0.68359375,0.21484375,0.81640625]
7	\\x97a75438b841e95ba5d17e1769dd7e4b9d6150e449e8394f76f1ff83c87e12a3	[-0.05859375,0.76953125,0.32421875,0.25390625,-0.49609375,-0.64453125,0.67578125,0.16015625]
8	\\x6c5099240985049b73bd74ab3e74241478db0332dc29e71346ffa9e1da5495e8	[0.91015625,-0.54296875,-0.35546875,0.13671875,0.91015625,-0.24609375,0.24609375,-0.01171875]
9	\\xd287d4a6bebc64dba1a3f71fd0ad023acaf25eb855b79c054c2ee69e3d5c0f8a	[0.69921875,-0.98828125,0.33984375,0.98828125,-0.05859375,-0.77734375,0.33203125,-0.19921875]
\.


--
-- Data for Name: model; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.model (table_schema, table_name, column_name, model_name, dimension, model_hash, created_at, updated_at) FROM stdin;
app	half_staged	embedding	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	2026-11-28 07:57:17.175268+00	2026-11-28 07:57:17.175268+00
app	staged	embedding	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	2026-11-28 07:57:17.220457+00	2026-11-28 07:57:17.220457+00
app	filling	embedding	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	2026-11-28 07:57:17.266084+00	2026-11-28 07:57:17.266084+00
app	verified	embedding	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	2026-11-28 07:57:17.311688+00	2026-11-28 07:57:17.311688+00
app	lacking	embedding	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	2026-11-28 07:57:17.496155+00	2026-11-28 07:57:17.496155+00
app	unindexed	embedding	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	2026-11-28 07:57:17.541114+00	2026-11-28 07:57:17.541114+00
app	kept_table	embedding	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	2026-11-28 07:57:17.07928+00	2026-11-28 07:57:17.630364+00
app	kept_column	embedding	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	2026-11-28 07:57:17.126165+00	2026-11-28 07:57:17.901978+00
app	applied	embedding	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	2026-11-28 07:57:17.355415+00	2026-11-28 07:57:18.568639+00
app	switched	embedding	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	2026-11-28 07:57:17.405191+00	2026-11-28 07:57:18.751211+00
app	went_back	embedding	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	2026-11-28 07:57:17.450171+00	2026-11-28 07:57:18.998041+00
\.


--
-- Data for Name: run; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.run (id, table_schema, table_name, column_name, scope, from_name, from_dimension, from_hash, to_name, to_dimension, to_hash, state, way, way_reason, rows_total, rows_written, rows_blank, filled_to, filling_to, fill_passes, rows_filled, verified_file, verified_at, started_at, applied_at, finished_at, duration_secs, index_secs, last_error, variables, started_by, server_version, package_version) FROM stdin;
1	app	kept_table	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	done	rewrite	the fastest way	10	9	1	\N	\N	0	0	\N	\N	2026-11-28 07:57:17.596696+00	2026-11-28 07:57:17.742816+00	2026-11-28 07:57:17.742816+00	0.063186	0.080873	\N	{"oid": 16782, "name": "app.kept_table", "table": "kept_table", "schema": "app", "target": "app.kept_table", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_f0453100c4532973", "new_column": "embedding_f0453100c4532973", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_f0453100c4532973", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_f0453100c4532973", "only_missing": false, "changed_table": "changed_f0453100c4532973", "keep_function": "forget_stale_f0453100c4532973", "staging_table": "stage_f0453100c4532973", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_f0453100c4532973", "track_function": "note_changed_f0453100c4532973", "update_trigger": "vestige_sql_note_updated_f0453100c4532973", "lookup_function": "staged_embedding_f0453100c4532973", "embedding_column": "embedding"}	postgres	16.2	0.1.0
2	app	kept_column	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	done	online	as asked for	10	9	1	9	\N	0	9	16792	2026-11-28 07:57:17.89789+00	2026-11-28 07:57:17.793946+00	2026-11-28 07:57:17.91834+00	2026-11-28 07:57:17.926564+00	0.112663	0.018731	\N	{"oid": 16792, "name": "app.kept_column", "table": "kept_column", "schema": "app", "target": "app.kept_column", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_5da9118eb315a54c", "new_column": "embedding_5da9118eb315a54c", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_5da9118eb315a54c", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_5da9118eb315a54c", "only_missing": false, "changed_table": "changed_5da9118eb315a54c", "keep_function": "forget_stale_5da9118eb315a54c", "staging_table": "stage_5da9118eb315a54c", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_5da9118eb315a54c", "track_function": "note_changed_5da9118eb315a54c", "update_trigger": "vestige_sql_note_updated_5da9118eb315a54c", "lookup_function": "staged_embedding_5da9118eb315a54c", "embedding_column": "embedding"}	postgres	16.2	0.1.0
3	public	knowledge_nodes	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	staging	\N	\N	9	\N	\N	\N	\N	0	0	\N	\N	2026-11-28 07:57:17.970076+00	\N	\N	\N	\N	\N	{"oid": 16581, "name": "public.knowledge_nodes", "table": "knowledge_nodes", "schema": "public", "target": "knowledge_nodes", "id_type": "uuid", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_a47a5c18d98e41f1", "new_column": "embedding_a47a5c18d98e41f1", "compression": "default", "id_sql_type": "uuid", "kept_column": "former_embedding_a47a5c18d98e41f1", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_a47a5c18d98e41f1", "only_missing": false, "changed_table": "changed_a47a5c18d98e41f1", "keep_function": "forget_stale_a47a5c18d98e41f1", "staging_table": "stage_a47a5c18d98e41f1", "vector_schema": "public", "content_column": "content", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_a47a5c18d98e41f1", "track_function": "note_changed_a47a5c18d98e41f1", "update_trigger": "vestige_sql_note_updated_a47a5c18d98e41f1", "lookup_function": "staged_embedding_a47a5c18d98e41f1", "embedding_column": "embedding"}	postgres	16.2	0.1.0
4	app	half_staged	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	staging	\N	\N	9	\N	\N	\N	\N	0	0	\N	\N	2026-11-28 07:57:18.033941+00	\N	\N	\N	\N	\N	{"oid": 16802, "name": "app.half_staged", "table": "half_staged", "schema": "app", "target": "app.half_staged", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_e6382b76d0d5929a", "new_column": "embedding_e6382b76d0d5929a", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_e6382b76d0d5929a", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_e6382b76d0d5929a", "only_missing": false, "changed_table": "changed_e6382b76d0d5929a", "keep_function": "forget_stale_e6382b76d0d5929a", "staging_table": "stage_e6382b76d0d5929a", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_e6382b76d0d5929a", "track_function": "note_changed_e6382b76d0d5929a", "update_trigger": "vestige_sql_note_updated_e6382b76d0d5929a", "lookup_function": "staged_embedding_e6382b76d0d5929a", "embedding_column": "embedding"}	postgres	16.2	0.1.0
5	app	staged	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	staging	\N	\N	9	\N	\N	\N	\N	0	0	\N	\N	2026-11-28 07:57:18.098926+00	\N	\N	\N	\N	\N	{"oid": 16812, "name": "app.staged", "table": "staged", "schema": "app", "target": "app.staged", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_aea4653c976cdf2d", "new_column": "embedding_aea4653c976cdf2d", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_aea4653c976cdf2d", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_aea4653c976cdf2d", "only_missing": false, "changed_table": "changed_aea4653c976cdf2d", "keep_function": "forget_stale_aea4653c976cdf2d", "staging_table": "stage_aea4653c976cdf2d", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_aea4653c976cdf2d", "track_function": "note_changed_aea4653c976cdf2d", "update_trigger": "vestige_sql_note_updated_aea4653c976cdf2d", "lookup_function": "staged_embedding_aea4653c976cdf2d", "embedding_column": "embedding"}	postgres	16.2	0.1.0
6	app	lacking	embedding	missing	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	staging	\N	\N	6	\N	\N	\N	\N	0	0	\N	\N	2026-11-28 07:57:18.161789+00	\N	\N	\N	\N	\N	{"oid": 16872, "name": "app.lacking", "table": "lacking", "schema": "app", "target": "app.lacking", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 8, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_55e698c787ad8bc6", "new_column": "embedding_55e698c787ad8bc6", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_55e698c787ad8bc6", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_55e698c787ad8bc6", "only_missing": true, "changed_table": "changed_55e698c787ad8bc6", "keep_function": "forget_stale_55e698c787ad8bc6", "staging_table": "stage_55e698c787ad8bc6", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_55e698c787ad8bc6", "track_function": "note_changed_55e698c787ad8bc6", "update_trigger": "vestige_sql_note_updated_55e698c787ad8bc6", "lookup_function": "staged_embedding_55e698c787ad8bc6", "embedding_column": "embedding"}	postgres	16.2	0.1.0
7	app	unindexed	embedding	index	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	staging	\N	\N	0	\N	\N	\N	\N	0	0	\N	\N	2026-11-28 07:57:18.226244+00	\N	\N	\N	\N	\N	{"oid": 16882, "name": "app.unindexed", "table": "unindexed", "schema": "app", "target": "app.unindexed", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 8, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_31e86f9883b2e54b", "new_column": "embedding_31e86f9883b2e54b", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_31e86f9883b2e54b", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_31e86f9883b2e54b", "only_missing": false, "changed_table": "changed_31e86f9883b2e54b", "keep_function": "forget_stale_31e86f9883b2e54b", "staging_table": "stage_31e86f9883b2e54b", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_31e86f9883b2e54b", "track_function": "note_changed_31e86f9883b2e54b", "update_trigger": "vestige_sql_note_updated_31e86f9883b2e54b", "lookup_function": "staged_embedding_31e86f9883b2e54b", "embedding_column": "embedding"}	postgres	16.2	0.1.0
8	app	filling	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	filling	online	\N	9	\N	\N	\N	9	1	2	\N	\N	2026-11-28 07:57:18.282557+00	\N	\N	\N	\N	\N	{"oid": 16822, "name": "app.filling", "table": "filling", "schema": "app", "target": "app.filling", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_5897bd27802b5304", "new_column": "embedding_5897bd27802b5304", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_5897bd27802b5304", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_5897bd27802b5304", "only_missing": false, "changed_table": "changed_5897bd27802b5304", "keep_function": "forget_stale_5897bd27802b5304", "staging_table": "stage_5897bd27802b5304", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_5897bd27802b5304", "track_function": "note_changed_5897bd27802b5304", "update_trigger": "vestige_sql_note_updated_5897bd27802b5304", "lookup_function": "staged_embedding_5897bd27802b5304", "embedding_column": "embedding"}	postgres	16.2	0.1.0
9	app	verified	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	filling	online	\N	9	\N	\N	9	\N	0	9	16832	2026-11-28 07:57:18.489833+00	2026-11-28 07:57:18.385204+00	\N	\N	\N	\N	\N	{"oid": 16832, "name": "app.verified", "table": "verified", "schema": "app", "target": "app.verified", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_3d86e6309f2372a3", "new_column": "embedding_3d86e6309f2372a3", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_3d86e6309f2372a3", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_3d86e6309f2372a3", "only_missing": false, "changed_table": "changed_3d86e6309f2372a3", "keep_function": "forget_stale_3d86e6309f2372a3", "staging_table": "stage_3d86e6309f2372a3", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_3d86e6309f2372a3", "track_function": "note_changed_3d86e6309f2372a3", "update_trigger": "vestige_sql_note_updated_3d86e6309f2372a3", "lookup_function": "staged_embedding_3d86e6309f2372a3", "embedding_column": "embedding"}	postgres	16.2	0.1.0
10	app	applied	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	applied	rewrite	the fastest way	10	9	1	\N	\N	0	0	\N	\N	2026-11-28 07:57:18.539942+00	2026-11-28 07:57:18.591198+00	\N	0.049613	0	\N	{"oid": 16842, "name": "app.applied", "table": "applied", "schema": "app", "target": "app.applied", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_e28d87ab848bcdf9", "new_column": "embedding_e28d87ab848bcdf9", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_e28d87ab848bcdf9", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_e28d87ab848bcdf9", "only_missing": false, "changed_table": "changed_e28d87ab848bcdf9", "keep_function": "forget_stale_e28d87ab848bcdf9", "staging_table": "stage_e28d87ab848bcdf9", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_e28d87ab848bcdf9", "track_function": "note_changed_e28d87ab848bcdf9", "update_trigger": "vestige_sql_note_updated_e28d87ab848bcdf9", "lookup_function": "staged_embedding_e28d87ab848bcdf9", "embedding_column": "embedding"}	postgres	16.2	0.1.0
11	app	switched	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	applied	online	\N	9	\N	\N	9	\N	0	9	16852	2026-11-28 07:57:18.746994+00	2026-11-28 07:57:18.643957+00	2026-11-28 07:57:18.766547+00	\N	\N	\N	\N	{"oid": 16852, "name": "app.switched", "table": "switched", "schema": "app", "target": "app.switched", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_d5bcc175c5191bec", "new_column": "embedding_d5bcc175c5191bec", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_d5bcc175c5191bec", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_d5bcc175c5191bec", "only_missing": false, "changed_table": "changed_d5bcc175c5191bec", "keep_function": "forget_stale_d5bcc175c5191bec", "staging_table": "stage_d5bcc175c5191bec", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_d5bcc175c5191bec", "track_function": "note_changed_d5bcc175c5191bec", "update_trigger": "vestige_sql_note_updated_d5bcc175c5191bec", "lookup_function": "staged_embedding_d5bcc175c5191bec", "embedding_column": "embedding"}	postgres	16.2	0.1.0
12	app	went_back	embedding	all	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	done	rewrite	the fastest way	10	9	1	\N	\N	0	0	\N	\N	2026-11-28 07:57:18.810777+00	2026-11-28 07:57:18.947788+00	2026-11-28 07:57:18.947788+00	0.054769	0.080688	\N	{"oid": 16862, "name": "app.went_back", "table": "went_back", "schema": "app", "target": "app.went_back", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 12, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_9782b25f687a7b94", "new_column": "embedding_9782b25f687a7b94", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_9782b25f687a7b94", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_9782b25f687a7b94", "only_missing": false, "changed_table": "changed_9782b25f687a7b94", "keep_function": "forget_stale_9782b25f687a7b94", "staging_table": "stage_9782b25f687a7b94", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_9782b25f687a7b94", "track_function": "note_changed_9782b25f687a7b94", "update_trigger": "vestige_sql_note_updated_9782b25f687a7b94", "lookup_function": "staged_embedding_9782b25f687a7b94", "embedding_column": "embedding"}	postgres	16.2	0.1.0
13	app	went_back	embedding	back	new	12	8345418e10fbe329aaffbe457e265bca05b7f74fd06937bf9b54fb683a4fba2b	old	8	14812deb1b6bd30686b3984a10276f375593639e8714e115f78781f402bef18e	applied	rewrite	the fastest way	10	9	1	\N	\N	0	0	\N	\N	2026-11-28 07:57:19.00112+00	2026-11-28 07:57:19.022867+00	\N	0.025608	0	\N	{"oid": 16862, "name": "app.went_back", "table": "went_back", "schema": "app", "target": "app.went_back", "id_type": "bigint", "storage": "EXTERNAL", "dimension": 8, "id_column": "id", "id_schema": "pg_catalog", "kept_table": "kept_9782b25f687a7b94", "new_column": "embedding_9782b25f687a7b94", "compression": "default", "id_sql_type": "bigint", "kept_column": "former_embedding_9782b25f687a7b94", "vector_type": "public.vector", "index_column": "embedding", "keep_trigger": "zz_vestige_sql_forget_stale_9782b25f687a7b94", "only_missing": false, "changed_table": "changed_9782b25f687a7b94", "keep_function": "forget_stale_9782b25f687a7b94", "staging_table": "stage_9782b25f687a7b94", "vector_schema": "public", "content_column": "body", "embedding_type": "vector", "insert_trigger": "vestige_sql_note_inserted_9782b25f687a7b94", "track_function": "note_changed_9782b25f687a7b94", "update_trigger": "vestige_sql_note_updated_9782b25f687a7b94", "lookup_function": "staged_embedding_9782b25f687a7b94", "embedding_column": "embedding"}	postgres	16.2	0.1.0
\.


--
-- Data for Name: saved_index; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.saved_index (table_schema, table_name, column_name, index_name, built_as, definition, index_comment, saved_at) FROM stdin;
app	unindexed	embedding	idx_unindexed_embedding_hnsw	idx_unindexed_embedding_hnsw	CREATE INDEX idx_unindexed_embedding_hnsw ON app.unindexed USING hnsw (embedding public.vector_cosine_ops) WITH (m = 16, ef_construction = 64)	\N	2026-11-28 07:57:18.227075+00
app	verified	embedding	verified_hnsw	reembed_a5af8187a02950dd	CREATE INDEX reembed_a5af8187a02950dd ON app.verified USING hnsw (embedding_3d86e6309f2372a3 public.vector_l2_ops) WITH (m=8)	\N	2026-11-28 07:57:18.468314+00
app	applied	embedding	applied_hnsw	applied_hnsw	CREATE INDEX applied_hnsw ON app.applied USING hnsw (embedding public.vector_l2_ops) WITH (m=8)	\N	2026-11-28 07:57:18.568639+00
app	switched	embedding	switched_hnsw	reembed_854545d6c44fe882	CREATE INDEX reembed_854545d6c44fe882 ON app.switched USING hnsw (embedding_d5bcc175c5191bec public.vector_l2_ops) WITH (m=8)	\N	2026-11-28 07:57:18.725376+00
app	went_back	embedding	went_back_hnsw	went_back_hnsw	CREATE INDEX went_back_hnsw ON app.went_back USING hnsw (embedding public.vector_l2_ops) WITH (m=8)	\N	2026-11-28 07:57:18.998041+00
\.


--
-- Data for Name: stage_3d86e6309f2372a3; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.stage_3d86e6309f2372a3 (id, content_hash, embedding) FROM stdin;
1	\\x4f26d5667e5d945bf66822a50083f22bc47f03dad90e0c60624b12f70a1a8156	[0.73828125,-0.59765625,0.72265625,-0.91796875,-0.51953125,-0.56640625,0.06640625,-0.51171875,0.33203125,-0.66796875,0.35546875,0.91015625]
2	\\x003da19a5e3e31750531d59109774e57419b81477be2e58d9d26bc8e176531dd	[-0.89453125,-0.59765625,-0.50390625,0.51953125,-0.78515625,0.77734375,0.96484375,0.25390625,-0.41796875,0.25390625,-0.05078125,-0.87109375]
3	\\x2e3fd7a6d3add10f36bde2800dee575157b9b4873885274eb7565e655434749e	[0.41015625,-0.57421875,-0.09765625,-0.83984375,-0.69140625,-0.89453125,-0.43359375,0.69140625,0.67578125,-0.88671875,-0.19921875,-0.16796875]
4	\\xe7e61d82eaabd0cb5e56a0eef19c65f643e6f5152be1216ff5179321dabb4227	[-0.29296875,0.07421875,0.35546875,-0.67578125,0.41015625,0.94921875,-0.39453125,-0.46484375,-0.08203125,0.73828125,0.37890625,-0.24609375]
5	\\xd6bd09d3986ee88a40a723d208412251f4c8276ebd88c643650ea3675fd4d76b	[0.16796875,-0.22265625,-0.08984375,0.27734375,0.37109375,0.64453125,-0.54296875,-0.00390625,-0.20703125,0.91015625,-0.03515625,-0.55859375]
6	\\x3e435c12ee8a103e177f64983e7989997e0734becb26213e9a1ba810a5625420	[0.53515625,0.89453125,0.58203125,-0.21484375,-0.05859375,0.27734375,-0.64453125,0.49609375,0.82421875,0.92578125,0.68359375,0.37109375]
7	\\xfe8308ffaf80b2fcecd0560fd8ed949f38d599ad0fef069daf4b8a8c077b0546	[-0.34765625,0.26171875,-0.01171875,-0.18359375,-0.89453125,0.00390625,-0.58984375,-0.62109375,-0.30859375,-0.34765625,0.66796875,-0.76171875]
8	\\x8aa6e18f5b299c0fa6641e5df5f647be254615ee0da0c4af027c106e2f1b9a13	[0.25390625,-0.65234375,0.32421875,-0.83984375,-0.97265625,0.23046875,0.51953125,-0.36328125,0.23046875,-0.34765625,0.12890625,-0.94140625]
9	\\xec2a0f5804513952c6df344f78db1c1536c296a0f56e7d52d4926c06aa86a6e7	[0.79296875,0.89453125,-0.24609375,0.59765625,0.41796875,0.65234375,0.44140625,-0.58984375,-0.25390625,-0.58984375,0.88671875,0.64453125]
\.


--
-- Data for Name: stage_55e698c787ad8bc6; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.stage_55e698c787ad8bc6 (id, content_hash, embedding) FROM stdin;
4	\\x72617740004801251184607e22b85ed0764eff3bedc5cf8a7cb241655baa1a15	[-0.54296875,0.29296875,-0.51171875,0.86328125,0.39453125,0.80859375,-0.02734375,-0.79296875]
5	\\x077fb2255a31524111bc8dad7acb6911949cc6adfbe4e0079777b841aeda1077	[-0.62109375,-0.69140625,0.73046875,0.48828125,-0.66015625,-0.48046875,0.02734375,-0.08203125]
6	\\x9a7c00196063e262c65acd7f091b772dbc80dd77244a85182003c88f936703b9	[0.58203125,-0.01953125,-0.80859375,-0.87890625,0.44921875,-0.74609375,0.09765625,0.73828125]
7	\\x2bbce37fb682f13c9e88bf201c8dd856874d612a186a35e48fa657a4a5f7490b	[-0.28515625,-0.90234375,0.58984375,0.65234375,-0.76953125,-0.23046875,0.24609375,0.14453125]
8	\\x9378dde949949f0bf226abae3840bd9100ec77668fbd3bdf217e170268a6999b	[0.60546875,-0.62109375,-0.78515625,0.50390625,-0.28515625,-0.26953125,-0.92578125,-0.24609375]
9	\\x0bd8e17352344164d41d949f3eeddf4ec6344763257b061a0e94931d76d5e48c	[-0.54296875,0.47265625,0.83203125,-0.83984375,0.50390625,0.12109375,-0.35546875,0.62109375]
\.


--
-- Data for Name: stage_5897bd27802b5304; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.stage_5897bd27802b5304 (id, content_hash, embedding) FROM stdin;
1	\\xadc3cee439e048e2467efa82c074c21a0de3475c79f432891156a0ebd92e1c46	[0.19140625,-0.35546875,0.80078125,-0.29296875,-0.62890625,0.53515625,-0.59765625,-0.79296875,0.55078125,-0.32421875,0.65234375,0.41015625]
2	\\x6ec4290a499767b3a4d3e97f38270ac49ec149bedcc9f1da683f31c7558cd602	[-0.91015625,0.54296875,-0.05078125,0.91015625,-0.37109375,0.66015625,-0.55078125,0.50390625,-0.23828125,0.55859375,-0.54296875,0.69140625]
3	\\x722ee0e360d03bc65e7309c1957956be297a41d58f663d9d1edfca6e0eec8bbd	[0.44140625,-0.89453125,-0.62890625,0.59765625,0.40234375,0.69921875,0.06640625,-0.83984375,0.50390625,-0.38671875,0.98828125,0.03515625]
4	\\x11f4cf0dfd9933a94ac4e515b96ba9fe1f9126dcdc6261063daf6c30b5cdd756	[0.91796875,0.52734375,0.79296875,-0.94921875,0.23046875,-0.43359375,-0.87890625,-0.28515625,0.56640625,0.13671875,0.69921875,-0.28515625]
5	\\xc2f56d67e617280bbd9c9352d02cade9e039193cc718e6966d1aa209bdc2a70e	[-0.50390625,0.16015625,-0.08203125,0.31640625,-0.86328125,-0.16796875,-0.60546875,-0.53515625,-0.74609375,0.23828125,-0.92578125,-0.61328125]
6	\\xd384a7b765cbbe9262196169279ea46f3c07600ad3850bae67df5db50d7498f8	[0.99609375,-0.79296875,-0.37109375,-0.70703125,0.26171875,0.05078125,-0.00390625,0.12890625,-0.94921875,0.86328125,0.17578125,0.12890625]
7	\\xba7912c460f23d0d5a016dd53f13be1e5c0be455c38c3155c7a5619052c86fd1	[0.79296875,-0.19921875,-0.90234375,0.64453125,-0.95703125,0.06640625,0.33203125,-0.16796875,0.00390625,-0.59765625,-0.94140625,0.12109375]
8	\\x87d7de6162952aabf6e5832aad5f24236a65073f037b19f53b4e2bb55fb99831	[0.38671875,0.26953125,-0.55859375,0.77734375,-0.93359375,0.31640625,0.39453125,0.42578125,0.98046875,0.39453125,-0.48046875,-0.13671875]
9	\\x6e08d8c0a155e8bc2dde08575578b7d4de474b99849a52503bee2b79ef76aa0f	[0.44921875,-0.77734375,-0.55078125,-0.77734375,0.63671875,0.59765625,-0.94140625,0.82421875,-0.26953125,-0.30859375,-0.39453125,-0.48828125]
\.


--
-- Data for Name: stage_a47a5c18d98e41f1; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.stage_a47a5c18d98e41f1 (id, content_hash, embedding) FROM stdin;
ded7775f-e656-4b6f-89d3-892285434eec	\\x3f6d6c06f947ee5efb98fe9305128be20c1f6b9c0a592604743bfa2df734f1b1	[0.81640625,0.44921875,-0.20703125,-0.05859375,-0.87109375,-0.28515625,-0.07421875,0.21484375,0.89453125,0.86328125,-0.66796875,0.37109375]
78cf007e-41ef-4e0d-933b-7e4f0575a193	\\xfb920cbc7775e301844863259994bacd652402e01bec0fa80733d124ae4eab2e	[-0.50390625,0.33984375,0.23828125,0.44921875,0.82421875,-0.78515625,-0.33984375,-0.07421875,0.69140625,-0.21484375,-0.40234375,-0.54296875]
1ba8de78-4b86-4cde-9c7c-f976e4bdbf31	\\xee7ac98b6d0b8f0593d4b1a93860049b51ca5a1200d689db6d83d9414b4250dd	[-0.49609375,-0.91015625,0.89453125,-0.90234375,-0.47265625,0.98046875,-0.54296875,-0.70703125,0.12890625,0.41796875,-0.51171875,0.87890625]
8fc1524c-1cc9-4839-b4c3-03cc9744a09b	\\x7feef6670b45cef824f4ddc2ec95c0d56c931cb10f0cbcd476c4fdaa038bf65d	[0.73046875,-0.73046875,0.74609375,0.96484375,-0.83984375,0.80859375,0.48828125,-0.62109375,0.69140625,-0.31640625,-0.17578125,0.81640625]
d7b3af36-7e9e-44cb-8877-968c722c918c	\\xeabf3adff976d8e4df122aa2d7e5e3f5cd9f30879fa3bd164b16420e19a961c9	[-0.82421875,-0.05859375,0.39453125,-0.66796875,0.18359375,0.41796875,-0.05078125,-0.35546875,-0.91796875,-0.58984375,0.45703125,-0.90234375]
\.


--
-- Data for Name: stage_aea4653c976cdf2d; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.stage_aea4653c976cdf2d (id, content_hash, embedding) FROM stdin;
1	\\x1af860b71339aea01773f1ad10eff17e5e856deb1b45f77d573a439d8ada610a	[-0.61328125,0.15234375,-0.86328125,-0.61328125,0.32421875,0.36328125,-0.79296875,-0.63671875,0.67578125,0.53515625,0.58203125,0.20703125]
2	\\x62c7c9b6238c49c676458e725ff662d8673c0032dc8959f487d7823f9f1d0c8a	[0.68359375,0.73046875,0.80078125,-0.82421875,-0.95703125,-0.78515625,0.22265625,-0.62109375,-0.71484375,0.34765625,-0.00390625,0.41015625]
3	\\x087c584d635851b597f4d5eb7852db40900ed68c59429bc35b0b7b2d90b9952b	[0.81640625,0.74609375,-0.00390625,-0.46484375,-0.21484375,0.76953125,0.45703125,0.80078125,-0.72265625,-0.35546875,-0.11328125,0.68359375]
4	\\xecb6d6880d05815d826f7318dedcf24d2fa3670956e90baec7ec8727b48c9ea9	[-0.02734375,-0.60546875,0.66015625,0.67578125,0.95703125,-0.20703125,0.82421875,0.45703125,0.04296875,-0.41015625,0.00390625,0.62890625]
5	\\x2bb6182dd54c29595f4a9a0ab4967a657db6c4f2d4cbddda6a9c8edeb3860fe2	[-0.94921875,-0.66796875,0.94921875,-0.72265625,-0.84765625,0.62890625,0.31640625,0.98046875,-0.67578125,-0.79296875,0.82421875,0.94921875]
6	\\x59678a6aadb8de34d20e9a0d8bb6b5ef01d74decd74e096312ad5261e9872489	[0.66796875,-0.16796875,0.68359375,0.66796875,-0.22265625,-0.10546875,0.49609375,-0.92578125,-0.24609375,0.60546875,-0.41796875,0.68359375]
7	\\xce1a24afbfd0985eb917b1c7eefb2307ab1c10a9906080b6296f595a0cf3801d	[-0.79296875,-0.29296875,-0.89453125,0.31640625,0.09765625,-0.15234375,0.37109375,0.51953125,0.07421875,0.54296875,-0.31640625,-0.61328125]
8	\\x7235cbf821f148b77c7f5bbb001b4350389f4f358140a9f5294f1e55d9ab374c	[-0.41015625,0.08203125,0.30078125,-0.03515625,-0.51171875,0.87890625,-0.21484375,-0.09765625,0.76171875,-0.26953125,0.96484375,0.12890625]
9	\\xb7fd0627837a9832235a0f03915641f3919b9eb952e112151d8a5ecd5ecb564a	[-0.44140625,-0.33984375,0.71484375,0.81640625,0.12109375,0.69921875,0.41015625,0.76953125,0.75390625,0.42578125,-0.59765625,0.12109375]
\.


--
-- Data for Name: stage_d5bcc175c5191bec; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.stage_d5bcc175c5191bec (id, content_hash, embedding) FROM stdin;
1	\\xd2a9b5e175a570f19a02528d9bcd1fb73a86a563b5c2ac600c62e8b23a6387b0	[-0.12109375,0.11328125,-0.42578125,-0.22265625,-0.19140625,0.36328125,-0.66796875,-0.26953125,0.48046875,0.90234375,-0.34765625,0.63671875]
2	\\x82b90b2cae66baf9d186fb960258417f582170cb3563e1881e47aebec2614abb	[0.98046875,-0.76171875,-0.25390625,-0.48828125,0.73828125,-0.93359375,0.63671875,0.23828125,0.39453125,0.64453125,-0.62890625,0.11328125]
3	\\xa57366273f48b68184a4a21cecadb40fafa92c44daabe0213c8aa160e051d7a3	[0.01953125,-0.16796875,0.13671875,0.20703125,-0.68359375,-0.23046875,0.30078125,0.60546875,-0.62890625,0.73828125,-0.77734375,-0.92578125]
4	\\xcdf7497d18362e54f3a5f3ac1d5496c5ee228942f175433edfd36791516ca73f	[0.83203125,0.85546875,0.37890625,-0.32421875,-0.23828125,-0.49609375,-0.39453125,-0.75390625,0.30859375,-0.89453125,-0.40234375,0.23046875]
5	\\xf1c5df503f41d45b8a0c966151d71c1b8b483daecf554cfef89726552f8ae75f	[-0.12890625,0.79296875,-0.57421875,0.90234375,0.05078125,-0.15234375,0.14453125,0.53515625,-0.87890625,-0.69140625,0.79296875,0.79296875]
6	\\x886b335f05a8104e36eee81966609a530060d211d9da9334ebcfb2d37a2d21be	[-0.75390625,-0.76171875,0.51953125,-0.11328125,0.24609375,-0.73046875,0.64453125,0.13671875,0.35546875,0.04296875,-0.53515625,-0.50390625]
7	\\x338a6b7189e8d55ffe3f43b3a005bd3f3f41a733a237ecc6acb2abf45ee08cf0	[0.01953125,-0.92578125,0.39453125,0.22265625,-0.77734375,-0.46484375,-0.05859375,-0.27734375,-0.10546875,-0.62890625,-0.28515625,-0.35546875]
8	\\x615ff2f2e8c0c63ccd99ca5817514fbc099714bd1e60bfb584dd25869f595eea	[0.85546875,-0.59765625,-0.33203125,0.48828125,-0.05078125,-0.55859375,0.03515625,-0.30859375,0.08984375,-0.02734375,0.84765625,-0.94921875]
9	\\x9912d3a6c46035774a30e05e22e42f2edc0c1c98d26d6ec69b63a29151614f98	[0.66015625,0.87890625,-0.37890625,0.83984375,0.09765625,-0.43359375,-0.39453125,-0.88671875,-0.44140625,0.38671875,0.72265625,0.61328125]
\.


--
-- Data for Name: stage_e6382b76d0d5929a; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.stage_e6382b76d0d5929a (id, content_hash, embedding) FROM stdin;
1	\\xb2fdaafc9822f2c051c551b454773856f21506be152016ce75364ccfccce6c2b	[0.55078125,-0.05859375,-0.64453125,-0.12109375,-0.85546875,-0.01953125,-0.39453125,-0.71484375,-0.93359375,-0.29296875,0.30859375,0.96484375]
2	\\x28633b1cb1cbc1ded420ec74487f8f5672b8bb81d02536d5da17378c3907f4a6	[0.38671875,-0.20703125,0.34765625,-0.09765625,0.93359375,-0.54296875,-0.18359375,-0.40234375,-0.72265625,-0.52734375,0.08203125,0.48828125]
3	\\x7e22f05b3ad73afc5a96ed3f38fb3696c6d60adc17f77a028f0b6f54e6559689	[0.79296875,-0.03515625,0.24609375,0.50390625,0.47265625,0.19921875,-0.61328125,0.80859375,-0.16796875,-0.44140625,0.55859375,-0.51171875]
4	\\x1469e24fd5d1aa63e1ccaed62b30f68bf31485227446a97bbdf8ed9fd916af12	[0.91015625,0.24609375,-0.94140625,-0.25390625,0.61328125,0.48828125,0.56640625,-0.99609375,0.71484375,0.69140625,-0.09765625,0.35546875]
5	\\xafe63349d39435d678287da130e2dca43d40191353f41f9bca833e0ab9b51753	[-0.45703125,0.57421875,-0.19140625,0.38671875,-0.72265625,-0.14453125,0.37890625,-0.40234375,-0.80078125,0.01953125,-0.68359375,-0.77734375]
\.


--
-- Data for Name: step; Type: TABLE DATA; Schema: vestige_sql; Owner: -
--

COPY vestige_sql.step (id, run_id, file, sha256, rows_affected, started_at, duration_secs) FROM stdin;
1	1	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:17.598936+00	0.003273
2	1	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:17.602977+00	0.000354
3	1	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:17.605185+00	0
4	1	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:17.605711+00	0
5	1	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:17.606118+00	0
6	1	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:17.606484+00	0
7	1	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:17.606881+00	0
8	1	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:17.607224+00	0
9	1	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	9	2026-11-28 07:57:17.608492+00	0.021522
10	1	lock/exclusive/03_wait_for_vacuum.sql	59477b72756466bd1d824f13f2c87318f622e196e8e50ada51dd8508fb4d69cc	1	2026-11-28 07:57:17.631248+00	0.000552
11	1	lock/exclusive/06_keep_vacuum_off.sql	4a7f524dbf769b6c6fb95389c39f078c70fc1940aebdb0fc6257eb2bcfe4ab7c	\N	2026-11-28 07:57:17.632082+00	7.3e-05
12	1	lock/exclusive/10_set_lock_timeout.sql	3fb2c5ab6ea479debd9939b7956b9485653c0af9c0c86f1973a992c00033e4f3	1	2026-11-28 07:57:17.632402+00	8.4e-05
13	1	lock/exclusive/15_lock_run.sql	48dd7f04b78d499d69b6c4008292f436fa94840334cb549d7949f9f305c2d770	1	2026-11-28 07:57:17.632738+00	0.000173
14	1	lock/exclusive/20_lock_target.sql	f2b45a851a586e5df119ea635bb546b9d1c510a6dba4131bebf2f4ced3700840	\N	2026-11-28 07:57:17.633144+00	6.7e-05
15	1	gate/05_sees_every_row.sql	669c6d69c1943920f96af6d7ff9cdaacc788bc57145cf016019b9b7b31d24c93	1	2026-11-28 07:57:17.634579+00	0.000315
16	1	gate/10_staged_for_the_open_run.sql	398263e9a1125633ba5eb36b94908fd1a3fca65d631f1c48667c274e9cd69354	1	2026-11-28 07:57:17.635162+00	0.000274
17	1	gate/12_model_is_registered.sql	f3ec846fee7fcdf48237ef3928d16ef32210728252d73eb066c429e7de6be613	1	2026-11-28 07:57:17.635724+00	0.000769
18	1	gate/15_staging_table_fits.sql	7d881f12bbab373dfff0c643af2edc81b693af7932cd8cce32b886ca6566ff37	1	2026-11-28 07:57:17.63678+00	0.00081
19	1	gate/20_staged_is_complete.sql	dea03e8f595cd0fd3fa130d3023b9bb0a46ae7590c726cdc8856930fd30669bc	1	2026-11-28 07:57:17.637863+00	0.000603
20	1	gate/40_staged_is_valid.sql	f3d92a1eb1ff0a484f63c1699f6c2ba820d33d330f8c09fcb0aafbd9b5332d1a	1	2026-11-28 07:57:17.638713+00	0.000415
21	1	keep/10_create_kept_table.sql	50bdb5eda69df85b6b2c277bd7d720b401a0188c442244598359bc11ba4e86ba	\N	2026-11-28 07:57:17.640412+00	0.003055
22	1	keep/20_keep_vectors.sql	def7259c0474e794c71d58a5dd797ccc3f938ac3f5de028bd358bdbfeef19169	9	2026-11-28 07:57:17.643865+00	0.000456
23	1	keep/30_keep_model.sql	e07f43a36d875e82d468fcc54894372a1579953518eab1a88097181a7c5a0c4e	1	2026-11-28 07:57:17.644622+00	0.000453
24	1	index/save/10_save_definitions.sql	f9b2a7e44f13a30e1b135b5477c8b3b6dbdf11a6ff013ba35f95bc976b140353	1	2026-11-28 07:57:17.645761+00	0.002476
25	1	index/save/20_save_default.sql	c88cbc9f71c6ca442373ef8e821609ead98dccdb5af73fa2cc7df2158e9f8e97	0	2026-11-28 07:57:17.648564+00	0.001726
26	1	index/drop/10_drop_indexes.sql	96aa6129fc16410f7e447abeff814029cffdcfd0b60401ac69e97b677364cbeb	\N	2026-11-28 07:57:17.651112+00	0.001585
27	1	apply/rewrite/10_create_lookup_function.sql	a813b922cd6e0444f10e05f3570a895a06182fa24191ab1a2117851b9ed889ff	\N	2026-11-28 07:57:17.65385+00	0.000442
28	1	apply/rewrite/20_rewrite_column.sql	4634e29efe537e8d323cf7a988e4c28e8a51bd69be011b4c0b5e213033e0d29b	\N	2026-11-28 07:57:17.654683+00	0.00354
29	1	apply/rewrite/30_drop_lookup_function.sql	6478e3a3e1cb1296e7b4ebc66f93de97d40030acf5e2011970ec4fade43feea7	\N	2026-11-28 07:57:17.658517+00	0.000163
30	1	index/create/10_set_build_limits.sql	8c5e05400ea895dcd585806a52675034af29602b115b54f746468f13429605bc	1	2026-11-28 07:57:17.661321+00	0.004018
31	1	index/create/20_create_indexes.sql	bc076ab6f00dbcf01456e3c34afeff95c7f072731e85172e9c75369a1aa232b8	\N	2026-11-28 07:57:17.666205+00	0.069986
32	1	index/create/30_restore_comments.sql	347b79be86916a1aa26345fa18552393a564418d4e7d0525e5d817a67e8d8ed2	\N	2026-11-28 07:57:17.73672+00	0.000359
33	1	index/create/40_forget_definitions.sql	fa99ae83e6b3e8e6f1abac819f351267d4066217a1cb9a6f30cfd2de18011d7e	1	2026-11-28 07:57:17.737441+00	0.000417
34	1	index/create/50_analyze.sql	32ab698e800bce87c84b126806e2178e46a2571fe31b063f13a661351fce59a2	\N	2026-11-28 07:57:17.738157+00	0.0004
35	1	registry/10_set_model.sql	4ff9124a7fe358be00e5f3e5b42978ac60a04d6a92c7dde3f733462d024e515f	1	2026-11-28 07:57:17.740434+00	0.000839
36	1	finish/10_close_run.sql	cf5217290b155f630c773f049e7d2bbff7088ecc6d0ec8b1ff14ec216ef4d8a1	1	2026-11-28 07:57:17.742609+00	0.000529
37	1	finish/20_drop_staging_table.sql	c6f36675547718fb50bab6cd3f54a5aff55523de4dc84451fe600e4e105f78f5	\N	2026-11-28 07:57:17.743394+00	0.000387
38	2	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:17.795438+00	0.002958
39	2	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:17.798928+00	0.000278
40	2	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:17.800581+00	0
41	2	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:17.800912+00	0
42	2	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:17.801188+00	0
43	2	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:17.801482+00	0
44	2	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:17.80174+00	0
45	2	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:17.801972+00	0
46	2	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	9	2026-11-28 07:57:17.804494+00	0.015795
47	2	online/quiet/10_fire_no_triggers.sql	83f04efb3f696256ff4ae652d7f9e61067cd1c6d5ee95fdb6c23528f16e89b0f	1	2026-11-28 07:57:17.821753+00	0.000102
48	2	lock/briefly/10_commit_at_once.sql	5c5c03d7536147c1afadf49f2e80addb847f0fa9c6e934fba338a958053ae109	1	2026-11-28 07:57:17.82271+00	0.000174
49	2	lock/exclusive/03_wait_for_vacuum.sql	59477b72756466bd1d824f13f2c87318f622e196e8e50ada51dd8508fb4d69cc	1	2026-11-28 07:57:17.823706+00	0.000498
50	2	lock/exclusive/06_keep_vacuum_off.sql	4a7f524dbf769b6c6fb95389c39f078c70fc1940aebdb0fc6257eb2bcfe4ab7c	\N	2026-11-28 07:57:17.824436+00	6.8e-05
51	2	lock/exclusive/10_set_lock_timeout.sql	3fb2c5ab6ea479debd9939b7956b9485653c0af9c0c86f1973a992c00033e4f3	1	2026-11-28 07:57:17.824717+00	7.6e-05
52	2	lock/exclusive/15_lock_run.sql	48dd7f04b78d499d69b6c4008292f436fa94840334cb549d7949f9f305c2d770	1	2026-11-28 07:57:17.825548+00	0.000206
53	2	lock/exclusive/20_lock_target.sql	f2b45a851a586e5df119ea635bb546b9d1c510a6dba4131bebf2f4ced3700840	\N	2026-11-28 07:57:17.825998+00	0.00012
54	2	online/prepare/10_create_changed_table.sql	388891206a9566f1906d8e9e0757de0aa6df3ff10f48d49c8602e59ddd0f8da6	\N	2026-11-28 07:57:17.827724+00	0.002104
55	2	online/prepare/20_create_track_function.sql	880e0a44324e797b1a8b3598292cce5857f5e4b00004166706a6e2ea9e6641aa	\N	2026-11-28 07:57:17.830094+00	0.000517
56	2	online/prepare/30_add_column.sql	82b44268246dd313486acd031e590e7984ece1b5d963345d75d9372d0d25ec14	\N	2026-11-28 07:57:17.830834+00	0.000237
57	2	online/prepare/35_copy_grants.sql	2330aefe03ed4485feea738788498ef7386b4c8c9b3216b466c69df0ed7ce56a	\N	2026-11-28 07:57:17.831315+00	0.000544
58	2	online/prepare/40_create_insert_trigger.sql	4c51e27299fce767c43a3582f0c86feedbfec0ca408119aa146c6f6897434b99	\N	2026-11-28 07:57:17.832075+00	0.000189
59	2	online/prepare/50_create_update_trigger.sql	eb2813aa4271e8bd7bb2ae3ff3e7358146079797ac55742efb0700a8c8d31363	\N	2026-11-28 07:57:17.832472+00	0.000376
60	2	online/prepare/60_enable_triggers.sql	2fdf537415feb05520acf63444a41e6f84c58efc7134d2077f80c7789fae157e	\N	2026-11-28 07:57:17.83307+00	0.000595
61	2	online/prepare/70_begin_filling.sql	3ab8bc0c077a916809f1d03cc2da61eadba779af7f87e0828465d12d48859376	1	2026-11-28 07:57:17.833892+00	0.000648
62	2	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	0	2026-11-28 07:57:17.835917+00	0.012841
63	2	online/fill/10_fill_batch.sql	ffab1d26fca29549f84f3c9f4d6ea67dcf842acb6e796c3bc38b18a222265107	9	2026-11-28 07:57:17.85027+00	0.026389
64	2	index/save/10_save_definitions.sql	f9b2a7e44f13a30e1b135b5477c8b3b6dbdf11a6ff013ba35f95bc976b140353	1	2026-11-28 07:57:17.877601+00	0.00228
65	2	index/save/20_save_default.sql	c88cbc9f71c6ca442373ef8e821609ead98dccdb5af73fa2cc7df2158e9f8e97	0	2026-11-28 07:57:17.880169+00	0.00142
66	2	online/index/10_drop_invalid.sql	1e165da3cfc8ef69ceaede9ffecf603109c67364a1d81270082fe591f3bc6cf0	\N	2026-11-28 07:57:17.882604+00	0.000469
67	2	index/concurrently/10_set_build_limits.sql	755b8316ebaa8b7400addc2579c6666c9ff5bee54dc61ac9f2b2a2206f82bedf	1	2026-11-28 07:57:17.885453+00	0.003207
68	2	index/concurrently/20_check_none_invalid.sql	8d07b356c02d94b4f10928e146a5149f3bd21e6c993c1cd45a204958da00f71f	0	2026-11-28 07:57:17.889222+00	0.000662
69	2	index/concurrently/30_create_indexes.sql	546c44ad0f57073ffe0cebc9d46812163fe8b7d05665bfaf9a34b506541ce43e	\N	2026-11-28 07:57:17.890445+00	0.002033
70	2	index/concurrently/40_restore_comments.sql	d5caea50fe8ee8823c8e96acc0d07bf456373111c5cf8d0bfbe480534d6c827f	\N	2026-11-28 07:57:17.892857+00	0.000209
71	2	index/concurrently/50_forget_definitions.sql	ee5bd0ee7510bb8231cea59cbd3e73ac18b1566d4120a817241b83a6cb430181	0	2026-11-28 07:57:17.89342+00	0.000278
72	2	index/concurrently/60_analyze.sql	e3a3f61ecf43f907a11a3d0a57659d5cd855e668eacbe1e4a786ce40ed846313	\N	2026-11-28 07:57:17.894068+00	0.000404
73	2	online/verify/10_note_unfilled.sql	7c7264eac0494701a486333efa6a2c01b1acbf257f2612ed75ea74e2a9d8ec00	1	2026-11-28 07:57:17.897029+00	0.000596
74	2	online/verify/20_remember_verified.sql	56499cbc45e2670ed32c59f888a339dca86b64688783881d19142e208648fdaa	1	2026-11-28 07:57:17.897884+00	0.000259
75	2	lock/briefly/10_commit_at_once.sql	5c5c03d7536147c1afadf49f2e80addb847f0fa9c6e934fba338a958053ae109	1	2026-11-28 07:57:17.902386+00	0.000101
76	2	lock/exclusive/03_wait_for_vacuum.sql	59477b72756466bd1d824f13f2c87318f622e196e8e50ada51dd8508fb4d69cc	1	2026-11-28 07:57:17.90322+00	0.000317
77	2	lock/exclusive/06_keep_vacuum_off.sql	4a7f524dbf769b6c6fb95389c39f078c70fc1940aebdb0fc6257eb2bcfe4ab7c	\N	2026-11-28 07:57:17.90374+00	8.7e-05
78	2	lock/exclusive/10_set_lock_timeout.sql	3fb2c5ab6ea479debd9939b7956b9485653c0af9c0c86f1973a992c00033e4f3	1	2026-11-28 07:57:17.904013+00	8.6e-05
79	2	lock/exclusive/15_lock_run.sql	48dd7f04b78d499d69b6c4008292f436fa94840334cb549d7949f9f305c2d770	1	2026-11-28 07:57:17.904295+00	0.00015
80	2	lock/exclusive/20_lock_target.sql	f2b45a851a586e5df119ea635bb546b9d1c510a6dba4131bebf2f4ced3700840	\N	2026-11-28 07:57:17.904628+00	8.3e-05
81	2	online/switch/10_check_ready.sql	2ee0a4c691c692dadce24480e4cd327523952da56a04c0d665352f6b5245b86f	1	2026-11-28 07:57:17.918032+00	0.000737
82	2	online/switch/12_check_unaltered.sql	e7bbcf3c8b42df6e1af2a2e8925e54b6dd60caeaac2700fc177275672df71068	1	2026-11-28 07:57:17.914599+00	0.004226
83	2	online/switch/20_copy_column_properties.sql	86425b5f6284f2dc06770ddac885f5c1d80fa0ed395eee0ed9d15e32342ed5d0	\N	2026-11-28 07:57:17.917787+00	0.001134
84	2	online/switch/25_keep_model.sql	d41934d887fccfdb0ba60a090ca0adb77555c94555bf8ff1c45983d47acf555e	1	2026-11-28 07:57:17.917514+00	0.001501
85	2	online/switch/30_swap_indexes.sql	d2708e422e15db1c7a251a5547eaf0da17bd614bd43cf05ffa4d699d1f09ec96	\N	2026-11-28 07:57:17.917855+00	0.001259
86	2	online/switch/40_drop_insert_trigger.sql	b89fd5bbc344b0eccfbd2b9ed4cdef8e41218214d627b24ca9d0656d096974ae	\N	2026-11-28 07:57:17.919002+00	0.00021
87	2	online/switch/45_drop_update_trigger.sql	c1c662631170e4e7311f719fce95a1ff096e24f07571275f198fbacda4b15e3a	\N	2026-11-28 07:57:17.919175+00	0.000134
88	2	online/switch/50_keep_former_column.sql	3f4df4e5c6fc4ee29e2e1f76748a1db99b5c5369f2f3c8063e43b2572be53082	\N	2026-11-28 07:57:17.919298+00	0.000115
89	2	online/switch/55_rename_new_column.sql	c8181ab53d677bf2b66e0f8c8780ed3f73c2e2474ccb6329b9c78303770edd94	\N	2026-11-28 07:57:17.919416+00	9.8e-05
90	2	online/switch/60_create_keep_function.sql	bf4e275e67b858c939c1eefb33f445c68e56b43b72d1bf7b5c0f3805876d2117	\N	2026-11-28 07:57:17.919235+00	0.000378
91	2	online/switch/70_create_keep_trigger.sql	8a7e92be8715903b1ecda9f86445d89cff75fd99c220364b216aefa62ed4b328	\N	2026-11-28 07:57:17.919495+00	0.000213
92	2	online/switch/75_enable_keep_trigger.sql	2fdd77c5c4f84cf5a3a473eb2f381b39b7c05a9276e095656d8edaea675de358	\N	2026-11-28 07:57:17.919688+00	0.000112
93	2	registry/10_set_model.sql	4ff9124a7fe358be00e5f3e5b42978ac60a04d6a92c7dde3f733462d024e515f	1	2026-11-28 07:57:17.919165+00	0.000729
94	2	online/close/10_close_run.sql	6ea5bd8194f02363569cdd422441bd460e9aac98528bda80f1f986f71ec8adfc	1	2026-11-28 07:57:17.919703+00	0.000281
95	2	online/clean_up/10_count_rows.sql	022c9d4e2fc755f87720c684719db6ca756469dd5f8a40ed04485071488766fe	1	2026-11-28 07:57:17.921333+00	0.000777
96	2	online/clean_up/20_drop_staging_table.sql	de440406c92d20ddb262473c034aa4892d99de80abf0500e769196bf607a654b	\N	2026-11-28 07:57:17.922617+00	0.000995
97	2	online/clean_up/30_drop_track_function.sql	2b6d0c1df697b5fc8a2c11947652376d612292ce643b86ae5ebca8bc654a3449	\N	2026-11-28 07:57:17.923977+00	0.000232
98	2	online/clean_up/40_drop_changed_table.sql	703ffc483af2ea1677002f71837679385926c175537cdd0d39dde7d231f2ef97	\N	2026-11-28 07:57:17.924549+00	0.000555
99	2	online/clean_up/50_forget_definitions.sql	f0f021de4b0de4e71b9293fdae66487a5151987cf2dc58a62199d1527c722157	1	2026-11-28 07:57:17.925442+00	0.000328
100	3	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:17.971495+00	0.003033
101	3	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:17.975063+00	0.000272
102	3	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:17.976637+00	0
103	3	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:17.977003+00	0
104	3	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:17.977325+00	0
105	3	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:17.977606+00	0
106	3	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:17.977883+00	0
107	3	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:17.978127+00	0
108	4	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:18.035523+00	0.003163
109	4	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:18.039197+00	0.000251
110	4	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:18.040722+00	0
111	4	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:18.041053+00	0
112	4	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:18.041339+00	0
113	4	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:18.041612+00	0
114	4	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:18.041873+00	0
115	4	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:18.042115+00	0
116	5	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:18.100534+00	0.0031
117	5	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:18.104168+00	0.00027
118	5	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:18.105764+00	0
119	5	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:18.106108+00	0
120	5	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:18.106394+00	0
121	5	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:18.106663+00	0
122	5	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:18.106964+00	0
123	5	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:18.107212+00	0
124	5	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	9	2026-11-28 07:57:18.109796+00	0.015665
125	6	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:18.163147+00	0.002997
126	6	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:18.166689+00	0.000278
127	6	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:18.168251+00	0
128	6	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:18.168577+00	0
129	6	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:18.168859+00	0
130	6	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:18.169114+00	0
131	6	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:18.169397+00	0
132	6	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:18.169639+00	0
133	6	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	6	2026-11-28 07:57:18.171709+00	0.017759
138	7	index/save/10_save_definitions.sql	f9b2a7e44f13a30e1b135b5477c8b3b6dbdf11a6ff013ba35f95bc976b140353	0	2026-11-28 07:57:18.227924+00	0.001954
139	7	index/save/20_save_default.sql	c88cbc9f71c6ca442373ef8e821609ead98dccdb5af73fa2cc7df2158e9f8e97	1	2026-11-28 07:57:18.230457+00	0.001537
140	7	index/concurrently/10_set_build_limits.sql	755b8316ebaa8b7400addc2579c6666c9ff5bee54dc61ac9f2b2a2206f82bedf	1	2026-11-28 07:57:18.235227+00	0.003448
141	7	index/concurrently/20_check_none_invalid.sql	8d07b356c02d94b4f10928e146a5149f3bd21e6c993c1cd45a204958da00f71f	0	2026-11-28 07:57:18.239911+00	0.000339
142	8	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:18.284214+00	0.00316
143	8	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:18.287935+00	0.000275
144	8	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:18.289608+00	0
145	8	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:18.289951+00	0
146	8	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:18.290236+00	0
147	8	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:18.29062+00	0
148	8	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:18.290897+00	0
149	8	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:18.29114+00	0
150	8	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	9	2026-11-28 07:57:18.29387+00	0.017683
151	8	online/quiet/10_fire_no_triggers.sql	83f04efb3f696256ff4ae652d7f9e61067cd1c6d5ee95fdb6c23528f16e89b0f	1	2026-11-28 07:57:18.313084+00	9.7e-05
152	8	lock/briefly/10_commit_at_once.sql	5c5c03d7536147c1afadf49f2e80addb847f0fa9c6e934fba338a958053ae109	1	2026-11-28 07:57:18.313988+00	0.000113
153	8	lock/exclusive/03_wait_for_vacuum.sql	59477b72756466bd1d824f13f2c87318f622e196e8e50ada51dd8508fb4d69cc	1	2026-11-28 07:57:18.314853+00	0.000556
154	8	lock/exclusive/06_keep_vacuum_off.sql	4a7f524dbf769b6c6fb95389c39f078c70fc1940aebdb0fc6257eb2bcfe4ab7c	\N	2026-11-28 07:57:18.315642+00	9.6e-05
155	8	lock/exclusive/10_set_lock_timeout.sql	3fb2c5ab6ea479debd9939b7956b9485653c0af9c0c86f1973a992c00033e4f3	1	2026-11-28 07:57:18.315941+00	9.1e-05
156	8	lock/exclusive/15_lock_run.sql	48dd7f04b78d499d69b6c4008292f436fa94840334cb549d7949f9f305c2d770	1	2026-11-28 07:57:18.316242+00	0.000187
157	8	lock/exclusive/20_lock_target.sql	f2b45a851a586e5df119ea635bb546b9d1c510a6dba4131bebf2f4ced3700840	\N	2026-11-28 07:57:18.316628+00	9e-05
158	8	online/prepare/10_create_changed_table.sql	388891206a9566f1906d8e9e0757de0aa6df3ff10f48d49c8602e59ddd0f8da6	\N	2026-11-28 07:57:18.317769+00	0.00214
159	8	online/prepare/20_create_track_function.sql	880e0a44324e797b1a8b3598292cce5857f5e4b00004166706a6e2ea9e6641aa	\N	2026-11-28 07:57:18.320166+00	0.000511
160	8	online/prepare/30_add_column.sql	82b44268246dd313486acd031e590e7984ece1b5d963345d75d9372d0d25ec14	\N	2026-11-28 07:57:18.321047+00	0.000297
161	8	online/prepare/35_copy_grants.sql	2330aefe03ed4485feea738788498ef7386b4c8c9b3216b466c69df0ed7ce56a	\N	2026-11-28 07:57:18.321601+00	0.00056
162	8	online/prepare/40_create_insert_trigger.sql	4c51e27299fce767c43a3582f0c86feedbfec0ca408119aa146c6f6897434b99	\N	2026-11-28 07:57:18.322389+00	0.000206
163	8	online/prepare/50_create_update_trigger.sql	eb2813aa4271e8bd7bb2ae3ff3e7358146079797ac55742efb0700a8c8d31363	\N	2026-11-28 07:57:18.322814+00	0.000343
164	8	online/prepare/60_enable_triggers.sql	2fdf537415feb05520acf63444a41e6f84c58efc7134d2077f80c7789fae157e	\N	2026-11-28 07:57:18.323355+00	0.000142
165	8	online/prepare/70_begin_filling.sql	3ab8bc0c077a916809f1d03cc2da61eadba779af7f87e0828465d12d48859376	1	2026-11-28 07:57:18.323703+00	0.000221
166	8	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	0	2026-11-28 07:57:18.324719+00	0.013582
167	9	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:18.386857+00	0.003232
168	9	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:18.390728+00	0.000281
169	9	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:18.392402+00	0
170	9	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:18.392734+00	0
171	9	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:18.393028+00	0
172	9	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:18.393281+00	0
173	9	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:18.39356+00	0
174	9	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:18.393796+00	0
175	9	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	9	2026-11-28 07:57:18.39559+00	0.016908
176	9	online/quiet/10_fire_no_triggers.sql	83f04efb3f696256ff4ae652d7f9e61067cd1c6d5ee95fdb6c23528f16e89b0f	1	2026-11-28 07:57:18.414008+00	9.7e-05
177	9	lock/briefly/10_commit_at_once.sql	5c5c03d7536147c1afadf49f2e80addb847f0fa9c6e934fba338a958053ae109	1	2026-11-28 07:57:18.41475+00	0.00011
178	9	lock/exclusive/03_wait_for_vacuum.sql	59477b72756466bd1d824f13f2c87318f622e196e8e50ada51dd8508fb4d69cc	1	2026-11-28 07:57:18.415601+00	0.000525
179	9	lock/exclusive/06_keep_vacuum_off.sql	4a7f524dbf769b6c6fb95389c39f078c70fc1940aebdb0fc6257eb2bcfe4ab7c	\N	2026-11-28 07:57:18.416351+00	9.4e-05
180	9	lock/exclusive/10_set_lock_timeout.sql	3fb2c5ab6ea479debd9939b7956b9485653c0af9c0c86f1973a992c00033e4f3	1	2026-11-28 07:57:18.416686+00	9e-05
181	9	lock/exclusive/15_lock_run.sql	48dd7f04b78d499d69b6c4008292f436fa94840334cb549d7949f9f305c2d770	1	2026-11-28 07:57:18.41701+00	0.000195
182	9	lock/exclusive/20_lock_target.sql	f2b45a851a586e5df119ea635bb546b9d1c510a6dba4131bebf2f4ced3700840	\N	2026-11-28 07:57:18.417424+00	0.000136
183	9	online/prepare/10_create_changed_table.sql	388891206a9566f1906d8e9e0757de0aa6df3ff10f48d49c8602e59ddd0f8da6	\N	2026-11-28 07:57:18.418538+00	0.002262
184	9	online/prepare/20_create_track_function.sql	880e0a44324e797b1a8b3598292cce5857f5e4b00004166706a6e2ea9e6641aa	\N	2026-11-28 07:57:18.421061+00	0.000485
185	9	online/prepare/30_add_column.sql	82b44268246dd313486acd031e590e7984ece1b5d963345d75d9372d0d25ec14	\N	2026-11-28 07:57:18.421772+00	0.000216
186	9	online/prepare/35_copy_grants.sql	2330aefe03ed4485feea738788498ef7386b4c8c9b3216b466c69df0ed7ce56a	\N	2026-11-28 07:57:18.422235+00	0.000571
187	9	online/prepare/40_create_insert_trigger.sql	4c51e27299fce767c43a3582f0c86feedbfec0ca408119aa146c6f6897434b99	\N	2026-11-28 07:57:18.423022+00	0.000186
188	9	online/prepare/50_create_update_trigger.sql	eb2813aa4271e8bd7bb2ae3ff3e7358146079797ac55742efb0700a8c8d31363	\N	2026-11-28 07:57:18.423418+00	0.000346
189	9	online/prepare/60_enable_triggers.sql	2fdf537415feb05520acf63444a41e6f84c58efc7134d2077f80c7789fae157e	\N	2026-11-28 07:57:18.423961+00	0.000137
190	9	online/prepare/70_begin_filling.sql	3ab8bc0c077a916809f1d03cc2da61eadba779af7f87e0828465d12d48859376	1	2026-11-28 07:57:18.424303+00	0.000232
191	9	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	0	2026-11-28 07:57:18.42531+00	0.013595
192	9	online/fill/10_fill_batch.sql	ffab1d26fca29549f84f3c9f4d6ea67dcf842acb6e796c3bc38b18a222265107	9	2026-11-28 07:57:18.441758+00	0.026275
193	9	index/save/10_save_definitions.sql	f9b2a7e44f13a30e1b135b5477c8b3b6dbdf11a6ff013ba35f95bc976b140353	1	2026-11-28 07:57:18.469049+00	0.002569
194	9	index/save/20_save_default.sql	c88cbc9f71c6ca442373ef8e821609ead98dccdb5af73fa2cc7df2158e9f8e97	0	2026-11-28 07:57:18.472066+00	0.00159
195	9	online/index/10_drop_invalid.sql	1e165da3cfc8ef69ceaede9ffecf603109c67364a1d81270082fe591f3bc6cf0	\N	2026-11-28 07:57:18.474592+00	0.000344
196	9	index/concurrently/10_set_build_limits.sql	755b8316ebaa8b7400addc2579c6666c9ff5bee54dc61ac9f2b2a2206f82bedf	1	2026-11-28 07:57:18.476927+00	0.004098
197	9	index/concurrently/20_check_none_invalid.sql	8d07b356c02d94b4f10928e146a5149f3bd21e6c993c1cd45a204958da00f71f	0	2026-11-28 07:57:18.48169+00	0.000379
198	9	index/concurrently/30_create_indexes.sql	546c44ad0f57073ffe0cebc9d46812163fe8b7d05665bfaf9a34b506541ce43e	\N	2026-11-28 07:57:18.4826+00	0.001468
199	9	index/concurrently/40_restore_comments.sql	d5caea50fe8ee8823c8e96acc0d07bf456373111c5cf8d0bfbe480534d6c827f	\N	2026-11-28 07:57:18.484498+00	0.000196
200	9	index/concurrently/50_forget_definitions.sql	ee5bd0ee7510bb8231cea59cbd3e73ac18b1566d4120a817241b83a6cb430181	0	2026-11-28 07:57:18.485141+00	0.000231
201	9	index/concurrently/60_analyze.sql	e3a3f61ecf43f907a11a3d0a57659d5cd855e668eacbe1e4a786ce40ed846313	\N	2026-11-28 07:57:18.485899+00	0.000508
202	9	online/verify/10_note_unfilled.sql	7c7264eac0494701a486333efa6a2c01b1acbf257f2612ed75ea74e2a9d8ec00	1	2026-11-28 07:57:18.488985+00	0.000592
203	9	online/verify/20_remember_verified.sql	56499cbc45e2670ed32c59f888a339dca86b64688783881d19142e208648fdaa	1	2026-11-28 07:57:18.489996+00	0.000315
210	10	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:18.541603+00	0.002872
211	10	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:18.544998+00	0.000255
212	10	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:18.546605+00	0
213	10	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:18.546968+00	0
214	10	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:18.547253+00	0
215	10	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:18.547509+00	0
216	10	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:18.547759+00	0
217	10	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:18.547988+00	0
218	10	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	9	2026-11-28 07:57:18.550708+00	0.017507
219	10	lock/exclusive/03_wait_for_vacuum.sql	59477b72756466bd1d824f13f2c87318f622e196e8e50ada51dd8508fb4d69cc	1	2026-11-28 07:57:18.56948+00	0.000608
220	10	lock/exclusive/06_keep_vacuum_off.sql	4a7f524dbf769b6c6fb95389c39f078c70fc1940aebdb0fc6257eb2bcfe4ab7c	\N	2026-11-28 07:57:18.570359+00	9.7e-05
221	10	lock/exclusive/10_set_lock_timeout.sql	3fb2c5ab6ea479debd9939b7956b9485653c0af9c0c86f1973a992c00033e4f3	1	2026-11-28 07:57:18.570681+00	0.0001
222	10	lock/exclusive/15_lock_run.sql	48dd7f04b78d499d69b6c4008292f436fa94840334cb549d7949f9f305c2d770	1	2026-11-28 07:57:18.571009+00	0.000182
223	10	lock/exclusive/20_lock_target.sql	f2b45a851a586e5df119ea635bb546b9d1c510a6dba4131bebf2f4ced3700840	\N	2026-11-28 07:57:18.571402+00	9.2e-05
224	10	gate/05_sees_every_row.sql	669c6d69c1943920f96af6d7ff9cdaacc788bc57145cf016019b9b7b31d24c93	1	2026-11-28 07:57:18.572413+00	0.000232
225	10	gate/10_staged_for_the_open_run.sql	398263e9a1125633ba5eb36b94908fd1a3fca65d631f1c48667c274e9cd69354	1	2026-11-28 07:57:18.572879+00	0.000213
226	10	gate/12_model_is_registered.sql	f3ec846fee7fcdf48237ef3928d16ef32210728252d73eb066c429e7de6be613	1	2026-11-28 07:57:18.573352+00	0.000778
227	10	gate/15_staging_table_fits.sql	7d881f12bbab373dfff0c643af2edc81b693af7932cd8cce32b886ca6566ff37	1	2026-11-28 07:57:18.574397+00	0.000757
228	10	gate/20_staged_is_complete.sql	dea03e8f595cd0fd3fa130d3023b9bb0a46ae7590c726cdc8856930fd30669bc	1	2026-11-28 07:57:18.575411+00	0.000483
229	10	gate/40_staged_is_valid.sql	f3d92a1eb1ff0a484f63c1699f6c2ba820d33d330f8c09fcb0aafbd9b5332d1a	1	2026-11-28 07:57:18.576132+00	0.000396
230	10	index/save/10_save_definitions.sql	f9b2a7e44f13a30e1b135b5477c8b3b6dbdf11a6ff013ba35f95bc976b140353	1	2026-11-28 07:57:18.577361+00	0.002241
231	10	index/save/20_save_default.sql	c88cbc9f71c6ca442373ef8e821609ead98dccdb5af73fa2cc7df2158e9f8e97	0	2026-11-28 07:57:18.580014+00	0.001576
232	10	index/drop/10_drop_indexes.sql	96aa6129fc16410f7e447abeff814029cffdcfd0b60401ac69e97b677364cbeb	\N	2026-11-28 07:57:18.582112+00	0.001485
233	10	apply/rewrite/10_create_lookup_function.sql	a813b922cd6e0444f10e05f3570a895a06182fa24191ab1a2117851b9ed889ff	\N	2026-11-28 07:57:18.584346+00	0.000322
234	10	apply/rewrite/20_rewrite_column.sql	4634e29efe537e8d323cf7a988e4c28e8a51bd69be011b4c0b5e213033e0d29b	\N	2026-11-28 07:57:18.585027+00	0.003417
235	10	apply/rewrite/30_drop_lookup_function.sql	6478e3a3e1cb1296e7b4ebc66f93de97d40030acf5e2011970ec4fade43feea7	\N	2026-11-28 07:57:18.588743+00	0.000137
236	10	registry/10_set_model.sql	4ff9124a7fe358be00e5f3e5b42978ac60a04d6a92c7dde3f733462d024e515f	1	2026-11-28 07:57:18.589439+00	0.000755
237	10	finish/10_close_run.sql	cf5217290b155f630c773f049e7d2bbff7088ecc6d0ec8b1ff14ec216ef4d8a1	1	2026-11-28 07:57:18.591034+00	0.000486
238	10	finish/20_drop_staging_table.sql	c6f36675547718fb50bab6cd3f54a5aff55523de4dc84451fe600e4e105f78f5	\N	2026-11-28 07:57:18.591755+00	0.0003
239	10	index/concurrently/10_set_build_limits.sql	755b8316ebaa8b7400addc2579c6666c9ff5bee54dc61ac9f2b2a2206f82bedf	1	2026-11-28 07:57:18.594716+00	0.003219
240	10	index/concurrently/20_check_none_invalid.sql	8d07b356c02d94b4f10928e146a5149f3bd21e6c993c1cd45a204958da00f71f	0	2026-11-28 07:57:18.59847+00	0.000295
241	11	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:18.645509+00	0.002854
242	11	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:18.648908+00	0.000273
243	11	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:18.65056+00	0
244	11	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:18.650891+00	0
245	11	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:18.651177+00	0
246	11	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:18.651445+00	0
247	11	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:18.651712+00	0
248	11	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:18.651958+00	0
249	11	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	9	2026-11-28 07:57:18.654547+00	0.017137
250	11	online/quiet/10_fire_no_triggers.sql	83f04efb3f696256ff4ae652d7f9e61067cd1c6d5ee95fdb6c23528f16e89b0f	1	2026-11-28 07:57:18.673193+00	9.9e-05
251	11	lock/briefly/10_commit_at_once.sql	5c5c03d7536147c1afadf49f2e80addb847f0fa9c6e934fba338a958053ae109	1	2026-11-28 07:57:18.674004+00	0.000111
252	11	lock/exclusive/03_wait_for_vacuum.sql	59477b72756466bd1d824f13f2c87318f622e196e8e50ada51dd8508fb4d69cc	1	2026-11-28 07:57:18.674864+00	0.000528
253	11	lock/exclusive/06_keep_vacuum_off.sql	4a7f524dbf769b6c6fb95389c39f078c70fc1940aebdb0fc6257eb2bcfe4ab7c	\N	2026-11-28 07:57:18.675612+00	9.6e-05
254	11	lock/exclusive/10_set_lock_timeout.sql	3fb2c5ab6ea479debd9939b7956b9485653c0af9c0c86f1973a992c00033e4f3	1	2026-11-28 07:57:18.675981+00	0.000202
255	11	lock/exclusive/15_lock_run.sql	48dd7f04b78d499d69b6c4008292f436fa94840334cb549d7949f9f305c2d770	1	2026-11-28 07:57:18.676428+00	0.000207
256	11	lock/exclusive/20_lock_target.sql	f2b45a851a586e5df119ea635bb546b9d1c510a6dba4131bebf2f4ced3700840	\N	2026-11-28 07:57:18.676859+00	0.000128
257	11	online/prepare/10_create_changed_table.sql	388891206a9566f1906d8e9e0757de0aa6df3ff10f48d49c8602e59ddd0f8da6	\N	2026-11-28 07:57:18.678079+00	0.002153
258	11	online/prepare/20_create_track_function.sql	880e0a44324e797b1a8b3598292cce5857f5e4b00004166706a6e2ea9e6641aa	\N	2026-11-28 07:57:18.680504+00	0.000483
259	11	online/prepare/30_add_column.sql	82b44268246dd313486acd031e590e7984ece1b5d963345d75d9372d0d25ec14	\N	2026-11-28 07:57:18.681261+00	0.00021
260	11	online/prepare/35_copy_grants.sql	2330aefe03ed4485feea738788498ef7386b4c8c9b3216b466c69df0ed7ce56a	\N	2026-11-28 07:57:18.68173+00	0.000567
261	11	online/prepare/40_create_insert_trigger.sql	4c51e27299fce767c43a3582f0c86feedbfec0ca408119aa146c6f6897434b99	\N	2026-11-28 07:57:18.68252+00	0.000168
262	11	online/prepare/50_create_update_trigger.sql	eb2813aa4271e8bd7bb2ae3ff3e7358146079797ac55742efb0700a8c8d31363	\N	2026-11-28 07:57:18.682904+00	0.000333
263	11	online/prepare/60_enable_triggers.sql	2fdf537415feb05520acf63444a41e6f84c58efc7134d2077f80c7789fae157e	\N	2026-11-28 07:57:18.683445+00	0.000139
264	11	online/prepare/70_begin_filling.sql	3ab8bc0c077a916809f1d03cc2da61eadba779af7f87e0828465d12d48859376	1	2026-11-28 07:57:18.683798+00	0.000216
265	11	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	0	2026-11-28 07:57:18.684886+00	0.012458
266	11	online/fill/10_fill_batch.sql	ffab1d26fca29549f84f3c9f4d6ea67dcf842acb6e796c3bc38b18a222265107	9	2026-11-28 07:57:18.70004+00	0.025007
267	11	index/save/10_save_definitions.sql	f9b2a7e44f13a30e1b135b5477c8b3b6dbdf11a6ff013ba35f95bc976b140353	1	2026-11-28 07:57:18.72605+00	0.002506
268	11	index/save/20_save_default.sql	c88cbc9f71c6ca442373ef8e821609ead98dccdb5af73fa2cc7df2158e9f8e97	0	2026-11-28 07:57:18.728949+00	0.0015
269	11	online/index/10_drop_invalid.sql	1e165da3cfc8ef69ceaede9ffecf603109c67364a1d81270082fe591f3bc6cf0	\N	2026-11-28 07:57:18.731344+00	0.000304
270	11	index/concurrently/10_set_build_limits.sql	755b8316ebaa8b7400addc2579c6666c9ff5bee54dc61ac9f2b2a2206f82bedf	1	2026-11-28 07:57:18.734566+00	0.003051
271	11	index/concurrently/20_check_none_invalid.sql	8d07b356c02d94b4f10928e146a5149f3bd21e6c993c1cd45a204958da00f71f	0	2026-11-28 07:57:18.73868+00	0.001215
272	11	index/concurrently/30_create_indexes.sql	546c44ad0f57073ffe0cebc9d46812163fe8b7d05665bfaf9a34b506541ce43e	\N	2026-11-28 07:57:18.740395+00	0.001777
273	11	index/concurrently/40_restore_comments.sql	d5caea50fe8ee8823c8e96acc0d07bf456373111c5cf8d0bfbe480534d6c827f	\N	2026-11-28 07:57:18.742522+00	0.000172
274	11	index/concurrently/50_forget_definitions.sql	ee5bd0ee7510bb8231cea59cbd3e73ac18b1566d4120a817241b83a6cb430181	0	2026-11-28 07:57:18.743035+00	0.00021
275	11	index/concurrently/60_analyze.sql	e3a3f61ecf43f907a11a3d0a57659d5cd855e668eacbe1e4a786ce40ed846313	\N	2026-11-28 07:57:18.743628+00	0.00045
276	11	online/verify/10_note_unfilled.sql	7c7264eac0494701a486333efa6a2c01b1acbf257f2612ed75ea74e2a9d8ec00	1	2026-11-28 07:57:18.746161+00	0.000549
277	11	online/verify/20_remember_verified.sql	56499cbc45e2670ed32c59f888a339dca86b64688783881d19142e208648fdaa	1	2026-11-28 07:57:18.747012+00	0.000235
278	11	lock/briefly/10_commit_at_once.sql	5c5c03d7536147c1afadf49f2e80addb847f0fa9c6e934fba338a958053ae109	1	2026-11-28 07:57:18.751644+00	0.000108
279	11	lock/exclusive/03_wait_for_vacuum.sql	59477b72756466bd1d824f13f2c87318f622e196e8e50ada51dd8508fb4d69cc	1	2026-11-28 07:57:18.752517+00	0.000333
280	11	lock/exclusive/06_keep_vacuum_off.sql	4a7f524dbf769b6c6fb95389c39f078c70fc1940aebdb0fc6257eb2bcfe4ab7c	\N	2026-11-28 07:57:18.753074+00	9.5e-05
281	11	lock/exclusive/10_set_lock_timeout.sql	3fb2c5ab6ea479debd9939b7956b9485653c0af9c0c86f1973a992c00033e4f3	1	2026-11-28 07:57:18.753392+00	0.000139
282	11	lock/exclusive/15_lock_run.sql	48dd7f04b78d499d69b6c4008292f436fa94840334cb549d7949f9f305c2d770	1	2026-11-28 07:57:18.753758+00	0.000164
283	11	lock/exclusive/20_lock_target.sql	f2b45a851a586e5df119ea635bb546b9d1c510a6dba4131bebf2f4ced3700840	\N	2026-11-28 07:57:18.754127+00	9.3e-05
284	11	online/switch/10_check_ready.sql	2ee0a4c691c692dadce24480e4cd327523952da56a04c0d665352f6b5245b86f	1	2026-11-28 07:57:18.766518+00	0.00051
285	11	online/switch/12_check_unaltered.sql	e7bbcf3c8b42df6e1af2a2e8925e54b6dd60caeaac2700fc177275672df71068	1	2026-11-28 07:57:18.76285+00	0.004237
286	11	online/switch/20_copy_column_properties.sql	86425b5f6284f2dc06770ddac885f5c1d80fa0ed395eee0ed9d15e32342ed5d0	\N	2026-11-28 07:57:18.765899+00	0.001289
287	11	online/switch/25_keep_model.sql	d41934d887fccfdb0ba60a090ca0adb77555c94555bf8ff1c45983d47acf555e	1	2026-11-28 07:57:18.765873+00	0.001417
288	11	online/switch/30_swap_indexes.sql	d2708e422e15db1c7a251a5547eaf0da17bd614bd43cf05ffa4d699d1f09ec96	\N	2026-11-28 07:57:18.766186+00	0.001202
289	11	online/switch/40_drop_insert_trigger.sql	b89fd5bbc344b0eccfbd2b9ed4cdef8e41218214d627b24ca9d0656d096974ae	\N	2026-11-28 07:57:18.767297+00	0.000191
290	11	online/switch/45_drop_update_trigger.sql	c1c662631170e4e7311f719fce95a1ff096e24f07571275f198fbacda4b15e3a	\N	2026-11-28 07:57:18.767485+00	0.000104
291	11	online/switch/50_keep_former_column.sql	3f4df4e5c6fc4ee29e2e1f76748a1db99b5c5369f2f3c8063e43b2572be53082	\N	2026-11-28 07:57:18.767588+00	0.000102
292	11	online/switch/55_rename_new_column.sql	c8181ab53d677bf2b66e0f8c8780ed3f73c2e2474ccb6329b9c78303770edd94	\N	2026-11-28 07:57:18.767703+00	8.9e-05
293	11	online/switch/60_create_keep_function.sql	bf4e275e67b858c939c1eefb33f445c68e56b43b72d1bf7b5c0f3805876d2117	\N	2026-11-28 07:57:18.767553+00	0.000338
294	11	online/switch/70_create_keep_trigger.sql	8a7e92be8715903b1ecda9f86445d89cff75fd99c220364b216aefa62ed4b328	\N	2026-11-28 07:57:18.767814+00	0.000174
295	11	online/switch/75_enable_keep_trigger.sql	2fdd77c5c4f84cf5a3a473eb2f381b39b7c05a9276e095656d8edaea675de358	\N	2026-11-28 07:57:18.767982+00	0.000104
296	11	registry/10_set_model.sql	4ff9124a7fe358be00e5f3e5b42978ac60a04d6a92c7dde3f733462d024e515f	1	2026-11-28 07:57:18.767529+00	0.000655
297	11	online/close/10_close_run.sql	6ea5bd8194f02363569cdd422441bd460e9aac98528bda80f1f986f71ec8adfc	1	2026-11-28 07:57:18.768038+00	0.000243
298	12	stage/create/10_create_staging_table.sql	f6e27defa794576ff28227b510f4ccb3fc1af3bbf76f3d95bc39ef0760b8927b	\N	2026-11-28 07:57:18.812205+00	0.002879
299	12	stage/create/20_describe_staging_table.sql	1df40862166a4b02ae66714bd2cecd203c609a84db8cce7e04e80d6451faff9c	\N	2026-11-28 07:57:18.815659+00	0.000273
300	12	stage/page.sql	0f0e7e3165a8bc3f2ecad82041fa35f971b06e5bb58f02d4213b3885562c6c2b	\N	2026-11-28 07:57:18.81737+00	0
301	12	stage/extent.sql	5b24b25f4abbb46dce0f2566abf54af0f2b8741a3b782c47e0b343e6ad605298	\N	2026-11-28 07:57:18.817708+00	0
302	12	stage/first_pending.sql	bce8cbf9735afeb53bd065c6f4fa8cca4173089d81a4bbbf42e575f25340259a	\N	2026-11-28 07:57:18.81799+00	0
303	12	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	\N	2026-11-28 07:57:18.818251+00	0
304	12	stage/settle.sql	0ca0f0fbee4f05440e8b265724d751867667a9ed5058135e1a9ca61b781c6648	\N	2026-11-28 07:57:18.818506+00	0
305	12	stage/discard_stale.sql	acbe10dc3db242a61a8b229183b203776c2ac363eda575221c06bca2f112a60b	\N	2026-11-28 07:57:18.818744+00	0
306	12	stage/copy.sql	02c4214af326a97ec1e822bc0f5139458a79a9a4f978b379fe8ab97f47be6974	9	2026-11-28 07:57:18.820592+00	0.017931
307	12	lock/exclusive/03_wait_for_vacuum.sql	59477b72756466bd1d824f13f2c87318f622e196e8e50ada51dd8508fb4d69cc	1	2026-11-28 07:57:18.839756+00	0.000534
308	12	lock/exclusive/06_keep_vacuum_off.sql	4a7f524dbf769b6c6fb95389c39f078c70fc1940aebdb0fc6257eb2bcfe4ab7c	\N	2026-11-28 07:57:18.840601+00	9.9e-05
309	12	lock/exclusive/10_set_lock_timeout.sql	3fb2c5ab6ea479debd9939b7956b9485653c0af9c0c86f1973a992c00033e4f3	1	2026-11-28 07:57:18.840921+00	0.0001
310	12	lock/exclusive/15_lock_run.sql	48dd7f04b78d499d69b6c4008292f436fa94840334cb549d7949f9f305c2d770	1	2026-11-28 07:57:18.841278+00	0.00018
311	12	lock/exclusive/20_lock_target.sql	f2b45a851a586e5df119ea635bb546b9d1c510a6dba4131bebf2f4ced3700840	\N	2026-11-28 07:57:18.841671+00	9.6e-05
312	12	gate/05_sees_every_row.sql	669c6d69c1943920f96af6d7ff9cdaacc788bc57145cf016019b9b7b31d24c93	1	2026-11-28 07:57:18.842652+00	0.000227
313	12	gate/10_staged_for_the_open_run.sql	398263e9a1125633ba5eb36b94908fd1a3fca65d631f1c48667c274e9cd69354	1	2026-11-28 07:57:18.84311+00	0.000209
314	12	gate/12_model_is_registered.sql	f3ec846fee7fcdf48237ef3928d16ef32210728252d73eb066c429e7de6be613	1	2026-11-28 07:57:18.843576+00	0.000744
315	12	gate/15_staging_table_fits.sql	7d881f12bbab373dfff0c643af2edc81b693af7932cd8cce32b886ca6566ff37	1	2026-11-28 07:57:18.844616+00	0.000761
316	12	gate/20_staged_is_complete.sql	dea03e8f595cd0fd3fa130d3023b9bb0a46ae7590c726cdc8856930fd30669bc	1	2026-11-28 07:57:18.845642+00	0.000501
317	12	gate/40_staged_is_valid.sql	f3d92a1eb1ff0a484f63c1699f6c2ba820d33d330f8c09fcb0aafbd9b5332d1a	1	2026-11-28 07:57:18.846425+00	0.000411
318	12	keep/10_create_kept_table.sql	50bdb5eda69df85b6b2c277bd7d720b401a0188c442244598359bc11ba4e86ba	\N	2026-11-28 07:57:18.847856+00	0.002967
319	12	keep/20_keep_vectors.sql	def7259c0474e794c71d58a5dd797ccc3f938ac3f5de028bd358bdbfeef19169	9	2026-11-28 07:57:18.851188+00	0.000426
320	12	keep/30_keep_model.sql	e07f43a36d875e82d468fcc54894372a1579953518eab1a88097181a7c5a0c4e	1	2026-11-28 07:57:18.851877+00	0.000329
321	12	index/save/10_save_definitions.sql	f9b2a7e44f13a30e1b135b5477c8b3b6dbdf11a6ff013ba35f95bc976b140353	1	2026-11-28 07:57:18.852789+00	0.002316
322	12	index/save/20_save_default.sql	c88cbc9f71c6ca442373ef8e821609ead98dccdb5af73fa2cc7df2158e9f8e97	0	2026-11-28 07:57:18.855421+00	0.001674
323	12	index/drop/10_drop_indexes.sql	96aa6129fc16410f7e447abeff814029cffdcfd0b60401ac69e97b677364cbeb	\N	2026-11-28 07:57:18.857654+00	0.001509
324	12	apply/rewrite/10_create_lookup_function.sql	a813b922cd6e0444f10e05f3570a895a06182fa24191ab1a2117851b9ed889ff	\N	2026-11-28 07:57:18.859898+00	0.00037
325	12	apply/rewrite/20_rewrite_column.sql	4634e29efe537e8d323cf7a988e4c28e8a51bd69be011b4c0b5e213033e0d29b	\N	2026-11-28 07:57:18.860696+00	0.003293
326	12	apply/rewrite/30_drop_lookup_function.sql	6478e3a3e1cb1296e7b4ebc66f93de97d40030acf5e2011970ec4fade43feea7	\N	2026-11-28 07:57:18.864281+00	0.000145
327	12	index/create/10_set_build_limits.sql	8c5e05400ea895dcd585806a52675034af29602b115b54f746468f13429605bc	1	2026-11-28 07:57:18.866197+00	0.003243
328	12	index/create/20_create_indexes.sql	bc076ab6f00dbcf01456e3c34afeff95c7f072731e85172e9c75369a1aa232b8	\N	2026-11-28 07:57:18.870283+00	0.072032
329	12	index/create/30_restore_comments.sql	347b79be86916a1aa26345fa18552393a564418d4e7d0525e5d817a67e8d8ed2	\N	2026-11-28 07:57:18.942681+00	0.000252
330	12	index/create/40_forget_definitions.sql	fa99ae83e6b3e8e6f1abac819f351267d4066217a1cb9a6f30cfd2de18011d7e	1	2026-11-28 07:57:18.943203+00	0.00027
331	12	index/create/50_analyze.sql	32ab698e800bce87c84b126806e2178e46a2571fe31b063f13a661351fce59a2	\N	2026-11-28 07:57:18.943735+00	0.000377
332	12	registry/10_set_model.sql	4ff9124a7fe358be00e5f3e5b42978ac60a04d6a92c7dde3f733462d024e515f	1	2026-11-28 07:57:18.945841+00	0.000862
333	12	finish/10_close_run.sql	cf5217290b155f630c773f049e7d2bbff7088ecc6d0ec8b1ff14ec216ef4d8a1	1	2026-11-28 07:57:18.947621+00	0.000461
334	12	finish/20_drop_staging_table.sql	c6f36675547718fb50bab6cd3f54a5aff55523de4dc84451fe600e4e105f78f5	\N	2026-11-28 07:57:18.948324+00	0.000404
335	13	rollback/open/05_check_kept.sql	fd148b5865015b9b1e70db40ce031e209f518dcdf338b56b9be11d88008899b4	1	2026-11-28 07:57:19.001232+00	0.000406
336	13	rollback/open/10_open_run.sql	b211964ab69cc39161c686fcbe4057c0698eeeb3062da0ec3530d8c995fdfd5b	1	2026-11-28 07:57:19.001665+00	0.000446
337	13	rollback/table/20_drop_staging_table.sql	2de89eb3433f60ad39abdb0c27ca7cc8f110539bf12c1212cad95a2d777b4140	\N	2026-11-28 07:57:19.023507+00	0.000177
338	13	rollback/table/25_stage_kept.sql	0a9eebdb90f8e5d2468aed3cb9b89f2de4d446715e36f9fc6afc74b46396a240	\N	2026-11-28 07:57:19.023605+00	0.000192
339	13	rollback/table/27_set_dimension.sql	2ae972967acc7101419a0ebd8c6eb70b0f4422a1a482d810adb1a55f9e654b20	\N	2026-11-28 07:57:19.0205+00	0.003349
340	13	rollback/table/30_forget_kept.sql	ba819ed1829fa2e6be264b273b63f3ec2e376b34ab67168185b25130826d3e1b	1	2026-11-28 07:57:19.023593+00	0.000327
341	13	rollback/table/40_discard_stale.sql	7f53fd7cc335e62b129d96074ecdf48d859508247ac30af2decb13304c725194	0	2026-11-28 07:57:19.023615+00	0.00042
342	13	keep/10_create_kept_table.sql	50bdb5eda69df85b6b2c277bd7d720b401a0188c442244598359bc11ba4e86ba	\N	2026-11-28 07:57:19.021731+00	0.002398
343	13	keep/20_keep_vectors.sql	def7259c0474e794c71d58a5dd797ccc3f938ac3f5de028bd358bdbfeef19169	9	2026-11-28 07:57:19.023821+00	0.000402
344	13	keep/30_keep_model.sql	e07f43a36d875e82d468fcc54894372a1579953518eab1a88097181a7c5a0c4e	1	2026-11-28 07:57:19.023951+00	0.00037
345	13	index/save/10_save_definitions.sql	f9b2a7e44f13a30e1b135b5477c8b3b6dbdf11a6ff013ba35f95bc976b140353	1	2026-11-28 07:57:19.022113+00	0.002306
346	13	index/save/20_save_default.sql	c88cbc9f71c6ca442373ef8e821609ead98dccdb5af73fa2cc7df2158e9f8e97	0	2026-11-28 07:57:19.023006+00	0.001514
347	13	index/drop/10_drop_indexes.sql	96aa6129fc16410f7e447abeff814029cffdcfd0b60401ac69e97b677364cbeb	\N	2026-11-28 07:57:19.023268+00	0.00135
348	13	apply/rewrite/10_create_lookup_function.sql	a813b922cd6e0444f10e05f3570a895a06182fa24191ab1a2117851b9ed889ff	\N	2026-11-28 07:57:19.024356+00	0.000358
349	13	apply/rewrite/20_rewrite_column.sql	4634e29efe537e8d323cf7a988e4c28e8a51bd69be011b4c0b5e213033e0d29b	\N	2026-11-28 07:57:19.021587+00	0.003276
350	13	apply/rewrite/30_drop_lookup_function.sql	6478e3a3e1cb1296e7b4ebc66f93de97d40030acf5e2011970ec4fade43feea7	\N	2026-11-28 07:57:19.024772+00	0.000124
351	13	registry/10_set_model.sql	4ff9124a7fe358be00e5f3e5b42978ac60a04d6a92c7dde3f733462d024e515f	1	2026-11-28 07:57:19.024193+00	0.000801
352	13	finish/10_close_run.sql	cf5217290b155f630c773f049e7d2bbff7088ecc6d0ec8b1ff14ec216ef4d8a1	1	2026-11-28 07:57:19.024539+00	0.000552
353	13	finish/20_drop_staging_table.sql	c6f36675547718fb50bab6cd3f54a5aff55523de4dc84451fe600e4e105f78f5	\N	2026-11-28 07:57:19.024882+00	0.000304
354	13	index/concurrently/10_set_build_limits.sql	755b8316ebaa8b7400addc2579c6666c9ff5bee54dc61ac9f2b2a2206f82bedf	1	2026-11-28 07:57:19.028984+00	0.003413
355	13	index/concurrently/20_check_none_invalid.sql	8d07b356c02d94b4f10928e146a5149f3bd21e6c993c1cd45a204958da00f71f	0	2026-11-28 07:57:19.033061+00	0.000431
\.


--
-- Name: applied_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.applied_id_seq', 10, true);


--
-- Name: filling_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.filling_id_seq', 10, true);


--
-- Name: half_staged_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.half_staged_id_seq', 10, true);


--
-- Name: kept_column_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.kept_column_id_seq', 10, true);


--
-- Name: kept_table_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.kept_table_id_seq', 10, true);


--
-- Name: lacking_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.lacking_id_seq', 10, true);


--
-- Name: staged_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.staged_id_seq', 10, true);


--
-- Name: switched_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.switched_id_seq', 10, true);


--
-- Name: unindexed_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.unindexed_id_seq', 10, true);


--
-- Name: verified_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.verified_id_seq', 10, true);


--
-- Name: went_back_id_seq; Type: SEQUENCE SET; Schema: app; Owner: -
--

SELECT pg_catalog.setval('app.went_back_id_seq', 10, true);


--
-- Name: review_events_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.review_events_id_seq', 1, false);


--
-- Name: changed_3d86e6309f2372a3_change_seq; Type: SEQUENCE SET; Schema: vestige_sql; Owner: -
--

SELECT pg_catalog.setval('vestige_sql.changed_3d86e6309f2372a3_change_seq', 2, true);


--
-- Name: changed_5897bd27802b5304_change_seq; Type: SEQUENCE SET; Schema: vestige_sql; Owner: -
--

SELECT pg_catalog.setval('vestige_sql.changed_5897bd27802b5304_change_seq', 2, true);


--
-- Name: changed_d5bcc175c5191bec_change_seq; Type: SEQUENCE SET; Schema: vestige_sql; Owner: -
--

SELECT pg_catalog.setval('vestige_sql.changed_d5bcc175c5191bec_change_seq', 1, false);


--
-- Name: run_id_seq; Type: SEQUENCE SET; Schema: vestige_sql; Owner: -
--

SELECT pg_catalog.setval('vestige_sql.run_id_seq', 13, true);


--
-- Name: step_id_seq; Type: SEQUENCE SET; Schema: vestige_sql; Owner: -
--

SELECT pg_catalog.setval('vestige_sql.step_id_seq', 355, true);


--
-- Name: applied applied_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.applied
    ADD CONSTRAINT applied_pkey PRIMARY KEY (id);


--
-- Name: filling filling_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.filling
    ADD CONSTRAINT filling_pkey PRIMARY KEY (id);


--
-- Name: half_staged half_staged_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.half_staged
    ADD CONSTRAINT half_staged_pkey PRIMARY KEY (id);


--
-- Name: kept_column kept_column_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.kept_column
    ADD CONSTRAINT kept_column_pkey PRIMARY KEY (id);


--
-- Name: kept_table kept_table_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.kept_table
    ADD CONSTRAINT kept_table_pkey PRIMARY KEY (id);


--
-- Name: lacking lacking_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.lacking
    ADD CONSTRAINT lacking_pkey PRIMARY KEY (id);


--
-- Name: staged staged_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.staged
    ADD CONSTRAINT staged_pkey PRIMARY KEY (id);


--
-- Name: switched switched_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.switched
    ADD CONSTRAINT switched_pkey PRIMARY KEY (id);


--
-- Name: unindexed unindexed_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.unindexed
    ADD CONSTRAINT unindexed_pkey PRIMARY KEY (id);


--
-- Name: verified verified_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.verified
    ADD CONSTRAINT verified_pkey PRIMARY KEY (id);


--
-- Name: went_back went_back_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.went_back
    ADD CONSTRAINT went_back_pkey PRIMARY KEY (id);


--
-- Name: _yoyo_log _yoyo_log_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public._yoyo_log
    ADD CONSTRAINT _yoyo_log_pkey PRIMARY KEY (id);


--
-- Name: _yoyo_migration _yoyo_migration_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public._yoyo_migration
    ADD CONSTRAINT _yoyo_migration_pkey PRIMARY KEY (migration_hash);


--
-- Name: _yoyo_version _yoyo_version_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public._yoyo_version
    ADD CONSTRAINT _yoyo_version_pkey PRIMARY KEY (version);


--
-- Name: domains domains_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_pkey PRIMARY KEY (id);


--
-- Name: edges edges_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.edges
    ADD CONSTRAINT edges_pkey PRIMARY KEY (source_id, target_id, edge_type);


--
-- Name: embedding_model embedding_model_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.embedding_model
    ADD CONSTRAINT embedding_model_pkey PRIMARY KEY (id);


--
-- Name: group_memberships group_memberships_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.group_memberships
    ADD CONSTRAINT group_memberships_pkey PRIMARY KEY (user_id, group_id);


--
-- Name: groups groups_handle_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_handle_key UNIQUE (handle);


--
-- Name: groups groups_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_pkey PRIMARY KEY (id);


--
-- Name: knowledge_nodes knowledge_nodes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.knowledge_nodes
    ADD CONSTRAINT knowledge_nodes_pkey PRIMARY KEY (id);


--
-- Name: review_events review_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.review_events
    ADD CONSTRAINT review_events_pkey PRIMARY KEY (id);


--
-- Name: scheduling scheduling_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scheduling
    ADD CONSTRAINT scheduling_pkey PRIMARY KEY (memory_id);


--
-- Name: users users_handle_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_handle_key UNIQUE (handle);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: yoyo_lock yoyo_lock_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.yoyo_lock
    ADD CONSTRAINT yoyo_lock_pkey PRIMARY KEY (locked);


--
-- Name: changed_3d86e6309f2372a3 changed_3d86e6309f2372a3_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.changed_3d86e6309f2372a3
    ADD CONSTRAINT changed_3d86e6309f2372a3_pkey PRIMARY KEY (change);


--
-- Name: changed_5897bd27802b5304 changed_5897bd27802b5304_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.changed_5897bd27802b5304
    ADD CONSTRAINT changed_5897bd27802b5304_pkey PRIMARY KEY (change);


--
-- Name: changed_d5bcc175c5191bec changed_d5bcc175c5191bec_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.changed_d5bcc175c5191bec
    ADD CONSTRAINT changed_d5bcc175c5191bec_pkey PRIMARY KEY (change);


--
-- Name: kept_9782b25f687a7b94 kept_9782b25f687a7b94_pkey1; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.kept_9782b25f687a7b94
    ADD CONSTRAINT kept_9782b25f687a7b94_pkey1 PRIMARY KEY (id);


--
-- Name: kept_f0453100c4532973 kept_f0453100c4532973_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.kept_f0453100c4532973
    ADD CONSTRAINT kept_f0453100c4532973_pkey PRIMARY KEY (id);


--
-- Name: kept kept_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.kept
    ADD CONSTRAINT kept_pkey PRIMARY KEY (table_schema, table_name, column_name);


--
-- Name: model model_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.model
    ADD CONSTRAINT model_pkey PRIMARY KEY (table_schema, table_name, column_name);


--
-- Name: run run_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);


--
-- Name: saved_index saved_index_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.saved_index
    ADD CONSTRAINT saved_index_pkey PRIMARY KEY (table_schema, table_name, index_name);


--
-- Name: stage_3d86e6309f2372a3 stage_3d86e6309f2372a3_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.stage_3d86e6309f2372a3
    ADD CONSTRAINT stage_3d86e6309f2372a3_pkey PRIMARY KEY (id);


--
-- Name: stage_55e698c787ad8bc6 stage_55e698c787ad8bc6_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.stage_55e698c787ad8bc6
    ADD CONSTRAINT stage_55e698c787ad8bc6_pkey PRIMARY KEY (id);


--
-- Name: stage_5897bd27802b5304 stage_5897bd27802b5304_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.stage_5897bd27802b5304
    ADD CONSTRAINT stage_5897bd27802b5304_pkey PRIMARY KEY (id);


--
-- Name: stage_a47a5c18d98e41f1 stage_a47a5c18d98e41f1_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.stage_a47a5c18d98e41f1
    ADD CONSTRAINT stage_a47a5c18d98e41f1_pkey PRIMARY KEY (id);


--
-- Name: stage_aea4653c976cdf2d stage_aea4653c976cdf2d_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.stage_aea4653c976cdf2d
    ADD CONSTRAINT stage_aea4653c976cdf2d_pkey PRIMARY KEY (id);


--
-- Name: stage_d5bcc175c5191bec stage_d5bcc175c5191bec_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.stage_d5bcc175c5191bec
    ADD CONSTRAINT stage_d5bcc175c5191bec_pkey PRIMARY KEY (id);


--
-- Name: stage_e6382b76d0d5929a stage_e6382b76d0d5929a_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.stage_e6382b76d0d5929a
    ADD CONSTRAINT stage_e6382b76d0d5929a_pkey PRIMARY KEY (id);


--
-- Name: step step_pkey; Type: CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.step
    ADD CONSTRAINT step_pkey PRIMARY KEY (id);


--
-- Name: filling_hnsw; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX filling_hnsw ON app.filling USING hnsw (embedding public.vector_l2_ops) WITH (m='8');


--
-- Name: half_staged_hnsw; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX half_staged_hnsw ON app.half_staged USING hnsw (embedding public.vector_l2_ops) WITH (m='8');


--
-- Name: kept_column_hnsw; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX kept_column_hnsw ON app.kept_column USING hnsw (embedding public.vector_l2_ops) WITH (m='8');


--
-- Name: kept_table_hnsw; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX kept_table_hnsw ON app.kept_table USING hnsw (embedding public.vector_l2_ops) WITH (m='8');


--
-- Name: lacking_hnsw; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX lacking_hnsw ON app.lacking USING hnsw (embedding public.vector_l2_ops) WITH (m='8');


--
-- Name: reembed_58eae51a5cc4f2fd; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX reembed_58eae51a5cc4f2fd ON app.kept_column USING hnsw (former_embedding_5da9118eb315a54c public.vector_l2_ops) WITH (m='8');


--
-- Name: reembed_854545d6c44fe882; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX reembed_854545d6c44fe882 ON app.switched USING hnsw (former_embedding_d5bcc175c5191bec public.vector_l2_ops) WITH (m='8');


--
-- Name: reembed_a5af8187a02950dd; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX reembed_a5af8187a02950dd ON app.verified USING hnsw (embedding_3d86e6309f2372a3 public.vector_l2_ops) WITH (m='8');


--
-- Name: staged_hnsw; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX staged_hnsw ON app.staged USING hnsw (embedding public.vector_l2_ops) WITH (m='8');


--
-- Name: switched_hnsw; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX switched_hnsw ON app.switched USING hnsw (embedding public.vector_l2_ops) WITH (m='8');


--
-- Name: verified_hnsw; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX verified_hnsw ON app.verified USING hnsw (embedding public.vector_l2_ops) WITH (m='8');


--
-- Name: idx_edges_edge_type; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_edges_edge_type ON public.edges USING btree (edge_type);


--
-- Name: idx_edges_source_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_edges_source_id ON public.edges USING btree (source_id);


--
-- Name: idx_edges_target_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_edges_target_id ON public.edges USING btree (target_id);


--
-- Name: idx_knowledge_nodes_codebase; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_codebase ON public.knowledge_nodes USING btree (codebase) WHERE (codebase IS NOT NULL);


--
-- Name: idx_knowledge_nodes_created_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_created_at ON public.knowledge_nodes USING btree (created_at);


--
-- Name: idx_knowledge_nodes_domains; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_domains ON public.knowledge_nodes USING gin (domains);


--
-- Name: idx_knowledge_nodes_embedding_hnsw; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_embedding_hnsw ON public.knowledge_nodes USING hnsw (embedding public.vector_cosine_ops) WITH (m='16', ef_construction='64');


--
-- Name: idx_knowledge_nodes_node_type; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_node_type ON public.knowledge_nodes USING btree (node_type);


--
-- Name: idx_knowledge_nodes_owner_user_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_owner_user_id ON public.knowledge_nodes USING btree (owner_user_id);


--
-- Name: idx_knowledge_nodes_search_vec; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_search_vec ON public.knowledge_nodes USING gin (search_vec);


--
-- Name: idx_knowledge_nodes_shared_with_groups; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_shared_with_groups ON public.knowledge_nodes USING gin (shared_with_groups);


--
-- Name: idx_knowledge_nodes_tags; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_tags ON public.knowledge_nodes USING gin (tags);


--
-- Name: idx_knowledge_nodes_updated_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_knowledge_nodes_updated_at ON public.knowledge_nodes USING btree (updated_at);


--
-- Name: idx_review_events_memory_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_review_events_memory_id ON public.review_events USING btree (memory_id);


--
-- Name: idx_review_events_timestamp; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_review_events_timestamp ON public.review_events USING btree ("timestamp");


--
-- Name: idx_scheduling_last_review; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_scheduling_last_review ON public.scheduling USING btree (last_review);


--
-- Name: idx_scheduling_next_review; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_scheduling_next_review ON public.scheduling USING btree (next_review);


--
-- Name: run_open_idx; Type: INDEX; Schema: vestige_sql; Owner: -
--

CREATE UNIQUE INDEX run_open_idx ON vestige_sql.run USING btree (table_schema, table_name, column_name) WHERE (state = ANY (ARRAY['staging'::text, 'filling'::text, 'applied'::text]));


--
-- Name: step_run_id_idx; Type: INDEX; Schema: vestige_sql; Owner: -
--

CREATE INDEX step_run_id_idx ON vestige_sql.step USING btree (run_id);


--
-- Name: verified vestige_sql_note_inserted_3d86e6309f2372a3; Type: TRIGGER; Schema: app; Owner: -
--

CREATE TRIGGER vestige_sql_note_inserted_3d86e6309f2372a3 AFTER INSERT ON app.verified FOR EACH ROW EXECUTE FUNCTION vestige_sql.note_changed_3d86e6309f2372a3();

ALTER TABLE app.verified ENABLE ALWAYS TRIGGER vestige_sql_note_inserted_3d86e6309f2372a3;


--
-- Name: filling vestige_sql_note_inserted_5897bd27802b5304; Type: TRIGGER; Schema: app; Owner: -
--

CREATE TRIGGER vestige_sql_note_inserted_5897bd27802b5304 AFTER INSERT ON app.filling FOR EACH ROW EXECUTE FUNCTION vestige_sql.note_changed_5897bd27802b5304();

ALTER TABLE app.filling ENABLE ALWAYS TRIGGER vestige_sql_note_inserted_5897bd27802b5304;


--
-- Name: verified vestige_sql_note_updated_3d86e6309f2372a3; Type: TRIGGER; Schema: app; Owner: -
--

CREATE TRIGGER vestige_sql_note_updated_3d86e6309f2372a3 AFTER UPDATE ON app.verified FOR EACH ROW WHEN ((((old.body COLLATE "C") IS DISTINCT FROM (new.body COLLATE "C")) OR ((old.id = new.id) IS NOT TRUE) OR ((current_setting('vestige_sql.filling'::text, true) IS DISTINCT FROM 'on'::text) AND ((old.embedding_3d86e6309f2372a3 OPERATOR(public.=) new.embedding_3d86e6309f2372a3) IS NOT TRUE) AND (num_nulls(old.embedding_3d86e6309f2372a3, new.embedding_3d86e6309f2372a3) < 2)))) EXECUTE FUNCTION vestige_sql.note_changed_3d86e6309f2372a3();

ALTER TABLE app.verified ENABLE ALWAYS TRIGGER vestige_sql_note_updated_3d86e6309f2372a3;


--
-- Name: filling vestige_sql_note_updated_5897bd27802b5304; Type: TRIGGER; Schema: app; Owner: -
--

CREATE TRIGGER vestige_sql_note_updated_5897bd27802b5304 AFTER UPDATE ON app.filling FOR EACH ROW WHEN ((((old.body COLLATE "C") IS DISTINCT FROM (new.body COLLATE "C")) OR ((old.id = new.id) IS NOT TRUE) OR ((current_setting('vestige_sql.filling'::text, true) IS DISTINCT FROM 'on'::text) AND ((old.embedding_5897bd27802b5304 OPERATOR(public.=) new.embedding_5897bd27802b5304) IS NOT TRUE) AND (num_nulls(old.embedding_5897bd27802b5304, new.embedding_5897bd27802b5304) < 2)))) EXECUTE FUNCTION vestige_sql.note_changed_5897bd27802b5304();

ALTER TABLE app.filling ENABLE ALWAYS TRIGGER vestige_sql_note_updated_5897bd27802b5304;


--
-- Name: kept_column zz_vestige_sql_forget_stale_5da9118eb315a54c; Type: TRIGGER; Schema: app; Owner: -
--

CREATE TRIGGER zz_vestige_sql_forget_stale_5da9118eb315a54c BEFORE UPDATE ON app.kept_column FOR EACH ROW WHEN (((old.body COLLATE "C") IS DISTINCT FROM (new.body COLLATE "C"))) EXECUTE FUNCTION vestige_sql.forget_stale_5da9118eb315a54c();

ALTER TABLE app.kept_column ENABLE ALWAYS TRIGGER zz_vestige_sql_forget_stale_5da9118eb315a54c;


--
-- Name: switched zz_vestige_sql_forget_stale_d5bcc175c5191bec; Type: TRIGGER; Schema: app; Owner: -
--

CREATE TRIGGER zz_vestige_sql_forget_stale_d5bcc175c5191bec BEFORE UPDATE ON app.switched FOR EACH ROW WHEN (((old.body COLLATE "C") IS DISTINCT FROM (new.body COLLATE "C"))) EXECUTE FUNCTION vestige_sql.forget_stale_d5bcc175c5191bec();

ALTER TABLE app.switched ENABLE ALWAYS TRIGGER zz_vestige_sql_forget_stale_d5bcc175c5191bec;


--
-- Name: knowledge_nodes knowledge_nodes_set_updated_at; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER knowledge_nodes_set_updated_at BEFORE UPDATE ON public.knowledge_nodes FOR EACH ROW EXECUTE FUNCTION public.vestige_set_updated_at();


--
-- Name: edges edges_source_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.edges
    ADD CONSTRAINT edges_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.knowledge_nodes(id) ON DELETE CASCADE;


--
-- Name: edges edges_target_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.edges
    ADD CONSTRAINT edges_target_id_fkey FOREIGN KEY (target_id) REFERENCES public.knowledge_nodes(id) ON DELETE CASCADE;


--
-- Name: group_memberships group_memberships_group_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.group_memberships
    ADD CONSTRAINT group_memberships_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;


--
-- Name: group_memberships group_memberships_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.group_memberships
    ADD CONSTRAINT group_memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: knowledge_nodes knowledge_nodes_owner_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.knowledge_nodes
    ADD CONSTRAINT knowledge_nodes_owner_user_id_fkey FOREIGN KEY (owner_user_id) REFERENCES public.users(id);


--
-- Name: review_events review_events_memory_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.review_events
    ADD CONSTRAINT review_events_memory_id_fkey FOREIGN KEY (memory_id) REFERENCES public.knowledge_nodes(id) ON DELETE CASCADE;


--
-- Name: scheduling scheduling_memory_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scheduling
    ADD CONSTRAINT scheduling_memory_id_fkey FOREIGN KEY (memory_id) REFERENCES public.knowledge_nodes(id) ON DELETE CASCADE;


--
-- Name: kept kept_run_id_fkey; Type: FK CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.kept
    ADD CONSTRAINT kept_run_id_fkey FOREIGN KEY (run_id) REFERENCES vestige_sql.run(id);


--
-- Name: step step_run_id_fkey; Type: FK CONSTRAINT; Schema: vestige_sql; Owner: -
--

ALTER TABLE ONLY vestige_sql.step
    ADD CONSTRAINT step_run_id_fkey FOREIGN KEY (run_id) REFERENCES vestige_sql.run(id) ON DELETE CASCADE;


--
-- Name: FUNCTION column_grants(p_table regclass, p_from name, p_to name); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.column_grants(p_table regclass, p_from name, p_to name) FROM PUBLIC;


--
-- Name: FUNCTION column_properties(p_table regclass, p_from name, p_to name); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.column_properties(p_table regclass, p_from name, p_to name) FROM PUBLIC;


--
-- Name: FUNCTION complaint(p_column text, p_wanted text, p_value text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.complaint(p_column text, p_wanted text, p_value text) FROM PUBLIC;


--
-- Name: FUNCTION content_hash(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.content_hash(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION forget_stale_5da9118eb315a54c(); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.forget_stale_5da9118eb315a54c() FROM PUBLIC;


--
-- Name: FUNCTION forget_stale_d5bcc175c5191bec(); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.forget_stale_d5bcc175c5191bec() FROM PUBLIC;


--
-- Name: FUNCTION has_text(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.has_text(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION index_definitions(p_table regclass, p_column name, p_dimension integer, p_new_column name); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.index_definitions(p_table regclass, p_column name, p_dimension integer, p_new_column name) FROM PUBLIC;


--
-- Name: FUNCTION index_recall(p_index regclass, p_id name, p_sample integer, p_k integer); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.index_recall(p_index regclass, p_id name, p_sample integer, p_k integer) FROM PUBLIC;


--
-- Name: FUNCTION merged_metadata(p_metadata text, p_columns text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.merged_metadata(p_metadata text, p_columns text) FROM PUBLIC;


--
-- Name: FUNCTION note_changed_3d86e6309f2372a3(); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.note_changed_3d86e6309f2372a3() FROM PUBLIC;


--
-- Name: FUNCTION note_changed_5897bd27802b5304(); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.note_changed_5897bd27802b5304() FROM PUBLIC;


--
-- Name: FUNCTION note_changed_d5bcc175c5191bec(); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.note_changed_d5bcc175c5191bec() FROM PUBLIC;


--
-- Name: FUNCTION other_index_name(p_index text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.other_index_name(p_index text) FROM PUBLIC;


--
-- Name: FUNCTION read_integer(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.read_integer(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION read_json(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.read_json(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION read_number(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.read_number(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION read_object(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.read_object(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION read_texts(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.read_texts(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION read_timestamp(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.read_timestamp(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION read_uuid(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.read_uuid(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION read_uuids(p_text text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.read_uuids(p_text text) FROM PUBLIC;


--
-- Name: FUNCTION registered_model(p_table regclass, p_column name); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.registered_model(p_table regclass, p_column name) FROM PUBLIC;


--
-- Name: FUNCTION registry_of(p_table regclass, p_column name); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.registry_of(p_table regclass, p_column name) FROM PUBLIC;


--
-- Name: FUNCTION rename_column(p_expression text, p_from name, p_to name); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.rename_column(p_expression text, p_from name, p_to name) FROM PUBLIC;


--
-- Name: FUNCTION require(p_holds boolean, p_message text, p_hint text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.require(p_holds boolean, p_message text, p_hint text) FROM PUBLIC;


--
-- Name: FUNCTION set_model(p_table regclass, p_column name, p_model_name text, p_dimension integer, p_model_hash text); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.set_model(p_table regclass, p_column name, p_model_name text, p_dimension integer, p_model_hash text) FROM PUBLIC;


--
-- Name: FUNCTION swap_indexes(p_table regclass, p_coming name, p_going name); Type: ACL; Schema: vestige_sql; Owner: -
--

REVOKE ALL ON FUNCTION vestige_sql.swap_indexes(p_table regclass, p_coming name, p_going name) FROM PUBLIC;


--
-- PostgreSQL database dump complete
--

