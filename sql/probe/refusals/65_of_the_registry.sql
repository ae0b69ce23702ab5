-- List what the registry no longer knows: whose vectors are in the column, whose the open run is, and whose vectors are kept.
--
-- The registry knows a table by its oid and a column by its number. Both stay through RENAME and SET SCHEMA, so that after an exchange
-- of two tables each has its own model. A table or column that was dropped and made anew is another one, and so is one that came by
-- dump and restore. Where such a column holds vectors, nobody knows of which model they are. Where it holds none, or an open run replaces
-- them all, it is as if no model was registered. An open run that came by dump and restore goes on: whatever is staged has the hash of
-- its text.
--
-- The step writes the question, which psql then asks. The package's tables need not be there. The first row only says which column was
-- asked. remove holds statements that take the reason away. The rows are remembered for this transaction, for 80_by_way.sql.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on embedding_model
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, content_name, content_numbered

SELECT format($ask$WITH refusals (place, what, object, message, hint, remove, restore, rules_out) AS (
    SELECT 0, 'asked', %1$L, 'whose vectors it has', '', '{}'::text[], '{}'::text[], '{}'::text[]%2$s
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('registry', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place) FROM refusals r)))::text, true)
)
SELECT r.* FROM refusals r CROSS JOIN remembered ORDER BY r.place$ask$,
    format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
    CASE WHEN k.may_be_read AND e.attnum IS NOT NULL THEN format($known$
    UNION ALL
    SELECT f.*
    FROM (
        WITH given AS (
            SELECT * FROM %8$s AS g (options, forgetting, typmod, forget, content, numbered, is_vestiges)
        ),
        -- the rows of the registry that were written in this very database
        here AS (
            SELECT h.id FROM vestige_sql.home h WHERE h.place = h.tableoid AND h.written_by = h.xmin
        ),
        -- the names that tables have by now, by their oids
        tables AS (
            SELECT c.oid, n.nspname AS schema, c.relname AS name, format('%%I.%%I', n.nspname, c.relname) AS full_name
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        ),
        known AS (
            SELECT m.* FROM vestige_sql.model m
            WHERE m.home IN (SELECT id FROM here) AND m.table_oid = %2$L::oid AND m.column_number = %3$L::smallint
        ),
        named AS (
            SELECT m.*, m.home IN (SELECT id FROM here) IS TRUE AS is_here, t.full_name AS is_called
            FROM vestige_sql.model m
            LEFT JOIN tables t ON t.oid = m.table_oid
            WHERE m.table_schema = %4$L AND m.table_name = %5$L AND m.column_name = %6$L
            ORDER BY m.id DESC
            LIMIT 1
        ),
        -- what Vestige's registry says
        beside AS (
            SELECT * FROM %7$s AS b (name, dimension, hash)
        ),
        runs AS (
            SELECT r.*, format('run %%s to %%s', r.id, r.to_name) AS run, r.home IN (SELECT id FROM here) IS TRUE AS is_here,
                t.full_name AS is_called,
                (r.table_schema, r.table_name, r.column_name) = (%4$L, %5$L, %6$L) AS has_this_name,
                r.home IN (SELECT id FROM here) IS TRUE AND r.table_oid = %2$L::oid AND r.column_number = %3$L::smallint AS is_of_this
            FROM vestige_sql.run r
            LEFT JOIN tables t ON t.oid = r.table_oid AND r.home IN (SELECT id FROM here)
            WHERE r.state IN ('staging', 'filling', 'applied')
        ),
        keeping AS (
            SELECT k.*, format('%%I.%%I.%%I', k.table_schema, k.table_name, k.column_name) AS column, t.full_name AS is_called,
                (k.table_schema, k.table_name, k.column_name) = (%4$L, %5$L, %6$L) AS has_this_name,
                k.home IN (SELECT id FROM here) IS TRUE AND k.table_oid = %2$L::oid AS is_of_this,
                k.column_name = %6$L OR NOT EXISTS (
                    SELECT FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = k.table_oid AND a.attname::text = k.column_name AND NOT a.attisdropped) AS may_be_this
            FROM vestige_sql.kept k
            LEFT JOIN tables t ON t.oid = k.table_oid AND k.home IN (SELECT id FROM here)
        )
        SELECT
            40, 'unknown_vectors', %1$L,
            format('nobody knows of which model the vectors of %%s are: %%s', %1$L, CASE
                WHEN EXISTS (SELECT FROM known) THEN format('embedding_model says %%s, and the last run or registration here was of %%s',
                    (SELECT format('%%s (%%s dimensions, hash %%s)', b.name, b.dimension, left(b.hash, 12)) FROM beside b),
                    (SELECT format('%%s (%%s dimensions, hash %%s)', m.model_name, m.dimension, left(m.model_hash, 12)) FROM known m))
                WHEN NOT n.is_here THEN format('the registry says %%s, and it came here by dump and restore', n.model_name)
                WHEN n.table_oid = %2$L::oid THEN format('%%s is registered for a column of this name that was here before', n.model_name)
                WHEN n.is_called IS NOT NULL THEN format('%%s is registered for the table that is called %%s by now', n.model_name, n.is_called)
                ELSE format('%%s is registered for a table of this name that is gone', n.model_name) END),
            CASE WHEN NOT n.is_here AND NOT EXISTS (SELECT FROM known) THEN 'if the whole database came from one dump, say so: '
                'psql "$DATABASE_URL" -c "SELECT vestige_sql.came_in_one_piece()"; ' ELSE '' END
            || format('if you know the model, register it: vestige-sql migrate register %%s --model %%s --dimension %%s; if nobody does, have it '
                'forgotten, and the next reembed embeds every row anew: %%s; nothing was written',
                g.options, CASE WHEN n.is_here OR n.model_name IS NULL THEN 'MODEL' ELSE n.model_name END,
                coalesce(g.typmod, n.dimension::text, 'N'), g.forgetting),
            ARRAY[g.forget || ';'], '{}'::text[], '{rewrite,widen,swap,fill,online,back}'::text[]
        FROM given g
        LEFT JOIN named n ON true
        -- a run over all rows leaves none of the vectors that are there
        WHERE NOT EXISTS (
            SELECT FROM runs r
            WHERE r.has_this_name AND (r.is_of_this OR NOT r.is_here) AND r.scope = 'all' AND r.state IN ('staging', 'filling'))
          AND CASE
            WHEN CASE WHEN g.is_vestiges THEN (
                    EXISTS (SELECT FROM beside)
                    AND coalesce(
                        (SELECT NOT EXISTS (SELECT FROM beside b WHERE (b.name, b.dimension, b.hash) = (m.model_name, m.dimension, m.model_hash))
                         FROM known m),
                        n.id IS NOT NULL))
                ELSE n.id IS NOT NULL AND NOT EXISTS (SELECT FROM known) END
            -- the rows are looked at where it matters alone
            THEN %9$s
            ELSE false END
        UNION ALL
        SELECT
            41, 'run_of_another', CASE WHEN r.is_called IS NULL OR r.table_oid = %2$L::oid THEN %1$L ELSE r.is_called END,
            format('%%s is open under the name %%s, and it was begun on %%s', r.run, %1$L, CASE
                WHEN r.table_oid = %2$L::oid THEN 'a column of this name that was here before'
                WHEN r.is_called IS NOT NULL THEN format('the table that is called %%s by now', r.is_called)
                ELSE 'a table of this name that is gone' END),
            format('undo it: vestige-sql migrate abort %%s; nothing was written', CASE
                WHEN r.is_called IS NULL OR r.table_oid = %2$L::oid THEN g.options
                ELSE format('--table %%s %%s --embedding-column %%s', r.is_called, coalesce(
                    '--content-expression ''' || replace(nullif(r.variables ->> 'content_expression', ''), '''', '''\''''') || '''',
                    '--content-column ' || (r.variables ->> 'content_column')), r.column_name)
                END),
            '{}', '{}', '{rewrite,widen,swap,fill,online,back}'
        FROM runs r CROSS JOIN given g
        WHERE r.has_this_name AND r.is_here AND NOT r.is_of_this
        UNION ALL
        SELECT
            42, 'run_under_another_name', %1$L,
            format('%%s is under way on %%I.%%I.%%I, as %%s was called when it was begun', r.run, r.table_schema, r.table_name, r.column_name, %1$L),
            format('give it its name back until the run is over, or undo the run: vestige-sql migrate abort %%s; nothing was written', g.options),
            '{}', '{}', '{rewrite,widen,swap,fill,online,back}'
        FROM runs r CROSS JOIN given g
        WHERE r.is_of_this AND NOT r.has_this_name
        UNION ALL
        SELECT
            43, 'kept_of_another', coalesce(k.is_called, %1$L),
            format('former vectors are kept under the name %%s, and they are of %%s', %1$L, CASE
                WHEN NOT coalesce(k.home IN (SELECT id FROM here), false) THEN 'another database: the registry came here by dump and restore'
                WHEN k.is_called IS NOT NULL THEN format('the table that is called %%s by now', k.is_called)
                ELSE 'a table of this name that is gone' END),
            format('let go of them: vestige-sql migrate finalize %%s; nothing was written', CASE
                WHEN k.is_called IS NULL THEN g.options ELSE format('--table %%s --embedding-column %%s', k.is_called, k.column_name) END),
            '{}', '{}', '{rewrite,widen,swap,online,back}'
        FROM keeping k CROSS JOIN given g
        WHERE k.has_this_name AND NOT k.is_of_this
        UNION ALL
        SELECT
            44, 'kept_under_another_name', %1$L,
            format('the former vectors of %%s are kept under the name %%s, which it had then', %1$L, k.column),
            format('give it that name back and run vestige-sql migrate rollback, or let go of them: vestige-sql migrate finalize %%s; '
                'nothing was written', g.options),
            '{}', '{}', '{rewrite,widen,swap,online,back}'
        FROM keeping k CROSS JOIN given g
        WHERE k.is_of_this AND k.may_be_this AND NOT k.has_this_name
        UNION ALL
        SELECT
            45, 'another_text', %1$L,
            format('the vectors of %%s were made from the %%s, and this command reads the %%s', %1$L, w.made, w.given),
            format('fill what is missing with %%s; or have every row embedded from %%s: %%s, and run again; another model '
                'may read another text without --online; nothing was written', w.option, g.content, g.forgetting),
            ARRAY[g.forget || ';'], '{}', '{fill,online}'
        FROM known m
        CROSS JOIN given g
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = m.table_oid AND a.attnum = m.content_number AND NOT a.attisdropped
        CROSS JOIN LATERAL (
            SELECT
                CASE WHEN m.content_numbered IS NOT NULL THEN 'expression ' ELSE 'column ' END || coalesce(a.attname::text, m.content_column) AS made,
                CASE WHEN g.numbered <> '' THEN 'expression ' ELSE 'column ' END || g.content AS given,
                CASE WHEN m.content_numbered IS NOT NULL THEN format('--content-expression ''%%s''', replace(m.content_column, '''', '''\'''''))
                    ELSE '--content-column ' || coalesce(a.attname::text, m.content_column) END AS option
        ) AS w
        WHERE m.content_column IS NOT NULL
          -- with numbers for names, so that a column that was renamed is the same
          AND CASE WHEN m.content_numbered <> '' AND g.numbered <> '' THEN m.content_numbered <> g.numbered
              ELSE coalesce(a.attname::text, m.content_column) IS DISTINCT FROM g.content END
        UNION ALL
        SELECT
            205, 'not_guarded', %1$L,
            format('the trigger that takes the former vectors of %%s from rows whose text changes was dropped, disabled or altered', %1$L),
            'former vectors may be of other texts by now; vestige-sql migrate finalize lets go of them; to go back, re-embed with the '
                'former model; nothing was written',
            '{}', '{}', '{back}'
        FROM keeping k
        JOIN vestige_sql.run r ON r.id = k.run_id
        WHERE k.place = 'column' AND k.is_of_this AND k.has_this_name
          -- until what the run made is cleared away, nothing says that it was guarded
          AND NOT EXISTS (SELECT FROM runs o WHERE o.has_this_name AND o.state = 'applied')
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_trigger t
              WHERE t.tgrelid = k.table_oid AND t.tgname = r.variables ->> 'keep_trigger' AND t.tgenabled = 'A' AND t.xmin = k.guard)
    ) AS f$known$,
        e."column", e.target, e.attnum, :'schema'::text, :'table'::text, :'embedding_column'::text,
        CASE WHEN e.registry IS NULL THEN '(SELECT NULL::text, NULL::integer, NULL::text WHERE false)' ELSE format(
            '(SELECT coalesce(r.j ->> ''model_name'', r.j ->> ''name''), (r.j ->> ''dimension'')::integer,'
            ' coalesce(r.j ->> ''model_hash'', r.j ->> ''hash'')'
            ' FROM (SELECT to_jsonb(m) FROM %s m WHERE m.id = 1) AS r (j)'
            ' WHERE coalesce(r.j ->> ''model_hash'', r.j ->> ''hash'') IS NOT NULL)', e.registry) END,
        format('(VALUES (%L, %L, %L, %L, %L, %L, %L::boolean))', e.options,
            format('psql "$DATABASE_URL" -c "%s"', replace(e.forget, '"', '\"')), e.typmod, e.forget,
            :'content_name'::text, :'content_numbered'::text, e.registry IS NOT NULL),
        -- whoever may not look at the rows is told so by 30_of_the_table.sql
        CASE WHEN e.may_look THEN format('EXISTS (SELECT FROM %s t WHERE t.%I IS NOT NULL)', e.name, e.attname) ELSE 'true' END) END)
FROM (
    -- whoever may not read the registry is told so by 20_of_the_server.sql
    SELECT count(*) = 4 AS may_be_read
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'vestige_sql' AND c.relname IN ('home', 'model', 'run', 'kept')
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
) AS k
LEFT JOIN LATERAL (
    SELECT
        c.oid::text AS target, a.attnum, a.attname, nullif(a.atttypmod, -1)::text AS typmod,
        format('%I.%I', n.nspname, c.relname) AS name,
        format('%I.%I.%I', n.nspname, c.relname, a.attname) AS "column",
        CASE WHEN c.relname = 'knowledge_nodes' AND a.attname = 'embedding'
                AND has_table_privilege(to_regclass(format('%I.embedding_model', n.nspname)), 'SELECT')
            THEN to_regclass(format('%I.embedding_model', n.nspname)) END AS registry,
        c.relpersistence <> 't' AND NOT row_security_active(c.oid) AND has_table_privilege(c.oid, 'SELECT')
            -- a foreign table may not answer; 30_of_the_table.sql says so
            AND NOT EXISTS (
                SELECT FROM pg_partition_tree(c.oid) x JOIN pg_catalog.pg_class p ON p.oid = x.relid AND p.relkind = 'f') AS may_look,
        format('SELECT vestige_sql.forget_model(%L, %L)', format('%I.%I', n.nspname, c.relname), a.attname) AS forget,
        -- as a shell takes them
        concat_ws(' ',
            '--table ' || CASE WHEN w.name ~ '^[a-z0-9_.]+$' THEN w.name ELSE '''' || replace(w.name, '''', '''\''''') || '''' END,
            CASE WHEN :'content_numbered' <> '' THEN '--content-expression ' ELSE '--content-column ' END
                || CASE WHEN :'content_name' ~ '^[A-Za-z0-9_]+$' THEN :'content_name' ELSE '''' || replace(:'content_name', '''', '''\''''') || '''' END,
            '--embedding-column ' || CASE WHEN a.attname ~ '^[A-Za-z0-9_]+$' THEN a.attname ELSE '''' || replace(a.attname, '''', '''\''''') || '''' END) AS options
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typname IN ('vector', 'halfvec')
    CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) AS w
    WHERE n.nspname = :'schema' AND c.relname = :'table' AND c.relkind IN ('r', 'p')
) AS e ON true \gexec
