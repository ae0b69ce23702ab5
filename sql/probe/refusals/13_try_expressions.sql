-- Let PostgreSQL read the expressions that the target names, and remember what they are, or why they cannot be used.
--
-- An expression is one value of a row of this table. It must be immutable, and call nothing of a role that this one does not
-- trust. The step writes a DO block. That makes an empty temporary table with the target's columns and views of it, and undoes
-- all of it. Nothing of an expression is planned or executed before its functions are known to be those of trusted roles. Names
-- without a schema are PostgreSQL's own, so they mean the same in every session.
--
-- What is remembered for this transaction is the expression as PostgreSQL has understood it, with every name in full. of_t is for
-- statements in which t is a row of the target, of_new and of_old are for triggers. numbered has the columns' numbers for their
-- names, and stays the same when a column is renamed. 30_of_the_table.sql refuses what could not be read.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    expressions_read, schema, table, embedding_column, content_expression, row_condition

SELECT CASE
    -- what a transaction that may write has read, for one that may not
    WHEN current_setting('transaction_read_only')::boolean AND :'expressions_read' <> ''
        THEN format('SELECT FROM set_config(%L, %L, true) AS x WHERE x IS NULL', 'vestige_sql.expressions', :'expressions_read'::text)
    ELSE 'DO ' || quote_literal(replace($try$
DECLARE
    v_asked CONSTANT jsonb := <asked>::jsonb;
    v_target CONSTANT oid := (
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = v_asked ->> 'schema' AND c.relname = v_asked ->> 'table');
    v_name CONSTANT text := format('%I.%I', v_asked ->> 'schema', v_asked ->> 'table');
    -- It has the target's name, so that an expression may say documents.title.
    v_row CONSTANT text := format('pg_temp.%I', v_asked ->> 'table');
    -- what vestige_sql.trusts() says of the role that connected
    v_login CONSTANT name := (
        SELECT CASE
            WHEN s.rolsuper OR s.rolcreaterole OR s.rolcreatedb OR s.rolreplication OR s.rolbypassrls
                OR EXISTS (
                    SELECT FROM pg_roles r
                    WHERE r.oid <> s.oid AND pg_has_role(s.oid, r.oid, 'MEMBER') AND NOT pg_has_role(current_user, r.oid, 'MEMBER'))
                OR EXISTS (
                    SELECT FROM pg_shdepend d
                    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = s.oid
                      AND NOT (d.classid = 'pg_database'::regclass AND d.deptype = 'a'))
            THEN session_user ELSE current_user END
        FROM pg_roles s
        WHERE s.rolname = session_user);
    v_one jsonb;
    v_all jsonb := '[]';
    v_columns text;
    v_text text;
    v_words text;
    v_read jsonb;
    v_reads text[];
    v_vectors boolean;
    v_system boolean;
    v_type record;
    v_culprits text;
    v_state text;
    v_message text;
    v_hint text;
BEGIN
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO v_columns
    FROM pg_attribute a WHERE a.attrelid = v_target AND a.attnum > 0 AND NOT a.attisdropped;
    FOR v_one IN SELECT e FROM jsonb_array_elements(v_asked -> 'expressions') AS e LOOP
        v_text := v_one ->> 'given';
        v_message := NULL;
        v_hint := NULL;
        v_read := '{}';
        BEGIN
            PERFORM set_config('search_path', 'pg_catalog, pg_temp', true), set_config('check_function_bodies', 'on', true),
                set_config('client_min_messages', 'warning', true);
            EXECUTE (
                SELECT format('CREATE TEMPORARY TABLE %s (%s)', v_row, string_agg(concat(
                    quote_ident(a.attname), ' ', format_type(a.atttypid, a.atttypmod),
                    ' COLLATE ' || quote_ident(n.nspname) || '.' || quote_ident(c.collname)), ', ' ORDER BY a.attnum))
                FROM pg_attribute a
                LEFT JOIN pg_collation c ON c.oid = a.attcollation
                LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
                WHERE a.attrelid = v_target AND a.attnum > 0 AND NOT a.attisdropped);
            -- What PostgreSQL makes of its own text is that text, after a round or two.
            FOR v_round IN 1 .. 4 LOOP
                -- A text that fits between round brackets and between square ones closes neither, so it is a part of one statement.
                -- A function's body is read here, and neither planned nor executed.
                FOREACH v_words IN ARRAY ARRAY['SELECT (' || v_text || E'\n)', 'SELECT ARRAY[' || v_text || E'\n]'] LOOP
                    EXECUTE format('CREATE OR REPLACE FUNCTION pg_temp."vestige_sql read"() RETURNS void LANGUAGE sql AS %L',
                        v_words || ' FROM ' || v_row);
                END LOOP;
                EXECUTE 'CREATE OR REPLACE TEMPORARY VIEW "vestige_sql view" AS SELECT (' || v_text || E'\n) AS "vestige_sql value" FROM ' || v_row;
                -- documents.* is as many columns
                IF (SELECT c.relnatts FROM pg_class c WHERE c.oid = 'pg_temp."vestige_sql view"'::regclass) <> 1 THEN
                    RAISE SQLSTATE '42P16';
                END IF;
                v_words := regexp_replace(
                    pg_get_viewdef('pg_temp."vestige_sql view"'::regclass), '^\s*SELECT\s*(.*) AS "vestige_sql value".*$', '\1');
                EXIT WHEN v_words = v_text;
                v_text := v_words;
            END LOOP;
            SELECT
                array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum > 0),
                bool_or(a.attname = v_asked ->> 'vectors'), bool_or(d.refobjsubid < 0)
            INTO v_reads, v_vectors, v_system
            FROM pg_rewrite r
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
            JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            WHERE r.ev_class = 'pg_temp."vestige_sql view"'::regclass AND d.refobjid = v_row::regclass;
            -- Only a superuser makes what no dependency is recorded of.
            SELECT string_agg(DISTINCT format('%s of role %s', o.name, pg_get_userbyid(o.owner)), ', ') INTO v_words
            FROM pg_rewrite r
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            LEFT JOIN pg_operator x ON d.refclassid = 'pg_operator'::regclass AND x.oid = d.refobjid
            LEFT JOIN pg_proc p ON p.oid = CASE d.refclassid WHEN 'pg_proc'::regclass THEN d.refobjid ELSE x.oprcode END
            LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
            CROSS JOIN LATERAL (VALUES
                (coalesce('operator ' || x.oid::regoperator, 'function ' || p.oid::regprocedure), p.proowner),
                ('operator ' || x.oid::regoperator, x.oprowner),
                ('type ' || format_type(t.oid, NULL), t.typowner)
            ) AS o (name, owner)
            WHERE r.ev_class = 'pg_temp."vestige_sql view"'::regclass
              AND NOT (pg_has_role(o.owner, v_login, 'MEMBER') AND pg_has_role(o.owner, current_user, 'MEMBER'))
              AND NOT (
                  NOT EXISTS (SELECT FROM pg_roles s WHERE s.rolname IN (session_user, current_user) AND s.rolsuper)
                  AND EXISTS (SELECT FROM pg_database b WHERE b.datname = current_database() AND pg_has_role(o.owner, b.datdba, 'MEMBER')))
              AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v_target AND pg_has_role(o.owner, c.relowner, 'MEMBER'));
            SELECT coalesce(b.oid, t.oid) AS oid, coalesce(b.typcategory, t.typcategory) AS category, coalesce(b.typname, t.typname) AS name,
                format_type(a.atttypid, a.atttypmod) AS words
            INTO v_type
            FROM pg_attribute a
            JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_type b ON b.oid = t.typbasetype
            WHERE a.attrelid = 'pg_temp."vestige_sql view"'::regclass AND a.attname = 'vestige_sql value';
            IF v_words IS NOT NULL THEN
                v_message := format('it uses %s, whom role %s does not trust', v_words, quote_ident(current_user));
                v_hint := 'look at it, and have a role that is trusted make it; docs/privileges.md says which roles trust each other';
            ELSIF EXISTS (
                SELECT FROM pg_rewrite r
                WHERE r.ev_class = 'pg_temp."vestige_sql view"'::regclass AND r.ev_action::text LIKE '%:varattno 0 %')
            THEN
                v_message := 'it reads the row as a whole';
                v_hint := format('name its columns; %s has %s', v_name, v_columns);
            ELSIF v_reads IS NULL THEN
                v_message := format('it reads no column of %s', v_name);
                v_hint := format('%s has %s', v_name, v_columns);
            ELSIF v_vectors THEN
                v_message := 'it reads the column with the vectors';
                v_hint := format('%s has %s', v_name, v_columns);
            ELSIF v_system THEN
                v_message := 'it reads a system column';
                v_hint := format('%s has %s', v_name, v_columns);
            ELSIF v_one ->> 'gives' = 'text' AND (v_type.category <> 'S' OR v_type.name IN ('name', 'char')) THEN
                v_message := format('it gives %s and not text', v_type.words);
                v_hint := CASE
                    WHEN v_type.name IN ('json', 'jsonb') THEN 'the operators ->> and #>> give a key of it as text'
                    WHEN v_type.name = 'bytea' THEN 'keep its text in a column, and name that'
                    WHEN v_type.category = 'A' THEN
                        'name its parts, such as tags[1], or a function of your own that is IMMUTABLE and makes one text of them'
                    ELSE 'cast it: (..)::text' END;
            ELSIF v_one ->> 'gives' = 'boolean' AND v_type.name <> 'bool' THEN
                v_message := format('it gives %s and not boolean', v_type.words);
                v_hint := 'write a condition, such as kind = ''note''';
            ELSIF regexp_replace(v_text, $re$[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"$re$, 'x', 'g') ~ '(?<!:):(?!:)' THEN
                -- psql would take what follows for one of its variables
                v_message := 'it has an array slice';
                v_hint := 'name its parts one by one, such as tags[1]';
            ELSE
                -- PostgreSQL asks of a generated column all that is asked of an expression here.
                BEGIN
                    EXECUTE format('ALTER TABLE %s ADD COLUMN "vestige_sql made" %s GENERATED ALWAYS AS (', v_row, v_type.words)
                        || v_text || ') STORED';
                EXCEPTION WHEN invalid_object_definition THEN
                    SELECT string_agg(DISTINCT p.oid::regprocedure::text, ', ') INTO v_culprits
                    FROM pg_rewrite r
                    CROSS JOIN LATERAL regexp_matches(r.ev_action::text, ':(?:funcid|opfuncid) (\d+)', 'g') AS m (found)
                    JOIN pg_proc p ON p.oid = m.found[1]::oid AND p.provolatile <> 'i'
                    WHERE r.ev_class = 'pg_temp."vestige_sql view"'::regclass;
                    v_message := 'it is not immutable: the same row may give something else under other settings or at another time'
                        || coalesce(', because of ' || v_culprits, '');
                    v_hint := 'use what is marked IMMUTABLE: coalesce(title, '''') || '': '' || body instead of format(), concat() or concat_ws()';
                END;
            END IF;
            IF v_message IS NULL THEN
                v_text := (
                    SELECT btrim(pg_get_expr(d.adbin, d.adrelid), E' \n') FROM pg_attrdef d WHERE d.adrelid = v_row::regclass);
                -- With a second table, PostgreSQL writes each column with the alias of its own.
                CREATE TEMPORARY TABLE "vestige_sql one" ();
                FOREACH v_words IN ARRAY ARRAY['t', 'new', 'old'] LOOP
                    EXECUTE 'CREATE OR REPLACE TEMPORARY VIEW "vestige_sql view" AS SELECT (' || v_text
                        || format(E'\n) AS "vestige_sql value" FROM %s %s, "vestige_sql one"', v_row, v_words);
                    v_read := v_read || jsonb_build_object('of_' || v_words, regexp_replace(
                        pg_get_viewdef('pg_temp."vestige_sql view"'::regclass), '^\s*SELECT\s*(.*) AS "vestige_sql value".*$', '\1'));
                END LOOP;
                -- The columns' numbers stand for their names.
                FOR v_words IN
                    SELECT format('ALTER TABLE %s RENAME COLUMN %I TO %I', v_row, a.attname, '#' || a.attnum)
                    FROM pg_attribute a WHERE a.attrelid = v_target AND a.attname::text = ANY (v_reads)
                LOOP
                    EXECUTE v_words;
                END LOOP;
                v_read := v_read || jsonb_build_object('expression', v_text, 'columns', v_reads, 'numbered', (
                    SELECT btrim(pg_get_expr(d.adbin, d.adrelid), E' \n') FROM pg_attrdef d WHERE d.adrelid = v_row::regclass));
            END IF;
            RAISE SQLSTATE 'VS002';
        EXCEPTION
            WHEN SQLSTATE 'VS002' THEN
                NULL;
            WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
                v_message := CASE v_state WHEN '42P16' THEN 'it gives several values'
                    ELSE regexp_replace(v_message, ' in column generation expressions?$| in index expressions$|\n[)\]] FROM pg_temp\.[^"]*', '') END;
                v_hint := CASE
                    WHEN v_state = '42703' THEN format('%s has %s', v_name, v_columns)
                    WHEN v_state IN ('42883', '42704', '3F000') THEN
                        'names without a schema are PostgreSQL''s own: write others with theirs, such as app.f(title) or a OPERATOR(app.||) b'
                    WHEN v_state = '42501' THEN format(
                        'the role needs it to look at an expression: GRANT TEMPORARY ON DATABASE %I TO %I, or the right that the message names',
                        current_database(), current_user)
                    WHEN v_state = '25006' THEN 'PostgreSQL reads it in a transaction that may write, and undoes that: ask on the primary'
                    ELSE format('write one value of a row, such as coalesce(title, '''') || '': '' || body; %s has %s', v_name, v_columns) END;
        END;
        IF v_message IS NOT NULL THEN
            v_read := jsonb_build_object('reason', v_message, 'hint', v_hint || '; nothing was written');
        END IF;
        v_all := v_all || (v_one || jsonb_build_object('target', v_target) || v_read);
    END LOOP;
    PERFORM set_config('vestige_sql.expressions', v_all::text, true);
END
$try$, '<asked>', quote_literal(jsonb_build_object(
    'schema', :'schema'::text, 'table', :'table'::text, 'vectors', :'embedding_column'::text, 'expressions', x.asked)))) END
FROM (
    SELECT jsonb_agg(e.asked) AS asked
    FROM (
        SELECT jsonb_build_object('of', 'content', 'option', '--content-expression', 'gives', 'text', 'given', :'content_expression'::text) AS asked
        WHERE :'content_expression' <> ''
        UNION ALL
        SELECT jsonb_build_object('of', 'rows', 'option', '--where', 'gives', 'boolean', 'given', :'row_condition'::text)
        WHERE :'row_condition' <> ''
    ) AS e
) AS x
WHERE x.asked IS NOT NULL \gexec
