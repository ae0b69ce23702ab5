-- List what is refused where a target is some of a column's rows, or where a column has vectors of several models.
--
-- A column whose rows are of several models has a registered model for each condition that chooses rows, or one for all of its
-- rows, and never both. The vectors of some rows are put in place by an UPDATE of these rows (rows, fill). It leaves the column as it is,
-- so its dimension has to fit, and each index that has such rows has to be of no others.
--
-- The step writes the question, which psql then asks. The package's tables need not be there. Rows are looked at only where the
-- column has no dimension, or some rows are meant. The first row only says which column was asked. remove holds statements that
-- take the reason away. restore holds statements that bring back what those took. The rows are remembered for this transaction, for
-- 80_by_way.sql.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, row_filter, verb, keep_untyped, dimension, content_column

SELECT format($ask$WITH refusals (place, what, object, message, hint, remove, restore, rules_out) AS (
    SELECT 0, 'asked', %1$L, 'which rows it has, and of how many models', '', '{}'::text[], '{}'::text[], '{}'::text[]%2$s
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('some_rows', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place, r.object) FROM refusals r)))::text, true)
)
SELECT r.* FROM refusals r CROSS JOIN remembered ORDER BY r.place, r.object$ask$,
    format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
    (SELECT string_agg(q.part, '') FROM (
        -- the ways of some rows, and those of all of a column
        SELECT format($way$
    UNION ALL
    SELECT
        31, 'of_some_rows', %1$L,
        format('this command is about some rows of %%s, those WHERE %%s, and only an UPDATE of them leaves the others as they are', %1$L, %2$L),
        'leave out --apply and --online: these rows are written in one transaction, in which everybody waits; nothing was written',
        '{}', '{}', '{rewrite,widen,swap,online}'
    WHERE %2$L <> '' AND %3$L <> 'copy'
    UNION ALL
    SELECT
        31, 'stays_untyped', %1$L,
        format('with --keep-untyped %%s gets no dimension, and only an UPDATE of its rows leaves it without one', %1$L),
        'leave out --apply and --online, or --keep-untyped; nothing was written',
        '{}', '{}', '{rewrite,widen,swap,online}'
    WHERE %2$L = '' AND %4$L::boolean
    UNION ALL
    SELECT
        31, 'of_all_rows', %1$L,
        format('this command is about all rows of %%s, which gets the dimension of its model', %1$L),
        'take --apply rewrite, swap or widen; --keep-untyped leaves the column without a dimension; nothing was written',
        '{}', '{}', '{rows}'
    WHERE %2$L = '' AND NOT %4$L::boolean
    UNION ALL
    SELECT
        32, 'rows_of_vestige', %1$L,
        format('%%s has a registry of its own, embedding_model, and that names one model for all rows', %1$L),
        'leave out --where; nothing was written',
        '{}', '{}', '{rewrite,widen,swap,fill,online,back}'
    WHERE %2$L <> '' AND %5$L::boolean
    UNION ALL
    SELECT
        49, 'has_a_dimension', %1$L,
        format('%%s has %%s dimensions, and these rows would have %%s: the column cannot have both', %1$L, %6$L, %7$L),
        'with --keep-untyped the column loses its dimension, and rows of several models fit in; nothing was written',
        '{}', '{}', '{rows}'
    WHERE %2$L <> '' AND %6$L <> %7$L AND NOT %4$L::boolean
    UNION ALL
    -- the column changes its type, which more stands in the way of
    SELECT 0, 'loses_its_dimension', %1$L, '', '', '{}', '{}', '{}' WHERE %6$L IS NOT NULL AND %4$L::boolean$way$,
            e."column", :'row_filter'::text, :'verb'::text, :keep_untyped, e.is_vestiges, e.typmod::text, (:dimension)::text) AS part
        UNION ALL
        -- other rows of the same column
        SELECT format($registry$
    UNION ALL
    SELECT
        33, 'run_of_other_rows', %1$L,
        format('run %%s to %%s is open on %%s, for %%s', r.id, r.to_name, %1$L,
            CASE r.row_filter WHEN '' THEN 'all rows' ELSE format('the rows WHERE %%s', r.row_filter) END),
        'a column has one run at a time: let that one come to its end, or undo it with vestige-sql migrate abort; nothing was written',
        '{}', '{}', '{rewrite,widen,swap,fill,online,back}'
    FROM vestige_sql.run r
    WHERE r.table_schema = %2$L AND r.table_name = %3$L AND r.column_name = %4$L AND r.state IN ('staging', 'filling', 'applied')
      AND r.row_filter <> %5$L AND %6$L <> 'copy'
    UNION ALL
    SELECT
        199, 'kept_of_other_rows', %1$L,
        format('the former vectors that are kept of %%s are of %%s', %1$L,
            CASE r.row_filter WHEN '' THEN 'all rows' ELSE format('the rows WHERE %%s', r.row_filter) END),
        'vestige-sql migrate finalize drops them; vestige-sql migrate rollback goes back to them; nothing was written',
        '{}', '{}', '{rewrite,widen,swap,rows,online,back}'
    FROM vestige_sql.kept k
    JOIN vestige_sql.run r ON r.id = k.run_id
    WHERE k.table_schema = %2$L AND k.table_name = %3$L AND k.column_name = %4$L AND r.row_filter <> %5$L
    UNION ALL
    SELECT
        47, 'several_models', %1$L,
        format('%%s has a registered model for some of its rows: %%s', %1$L, string_agg(
            format('WHERE %%s: %%s (%%s dimensions)', m.row_filter, m.model_name, m.dimension), '; ' ORDER BY m.row_filter)),
        format('name the rows with --where, or have these models forgotten, and all rows get one: psql "$DATABASE_URL" -c "%%s"; nothing was written',
            replace(string_agg(m.forget, ' ' ORDER BY m.row_filter), '"', '\"')),
        array_agg(m.forget ORDER BY m.row_filter), '{}', '{rewrite,widen,swap,fill,online,back}'
    FROM (
        SELECT m.*, format('SELECT vestige_sql.forget_model(%%L, %%L, %%L);', %7$L, %4$L, m.row_filter) AS forget
        FROM vestige_sql.model m
        JOIN vestige_sql.home h ON h.id = m.home AND h.place = h.tableoid AND h.written_by = h.xmin
        WHERE m.table_oid = %8$L::oid AND m.column_number = %9$L::smallint AND m.row_filter <> ''
    ) AS m
    WHERE %5$L = '' AND %6$L <> 'copy'
    HAVING count(*) > 0
    UNION ALL
    SELECT
        47, 'one_model', %1$L,
        format('%%s is registered for all rows of %%s, and this command is about those WHERE %%s', m.model_name, %1$L, %5$L),
        format('leave out --where; or have that forgotten, run again, and register the other rows with a --where of their own: '
            'psql "$DATABASE_URL" -c "SELECT vestige_sql.forget_model(%%s, %%s)"; nothing was written',
            replace(quote_literal(%7$L), '"', '\"'), quote_literal(%4$L)),
        ARRAY[format('SELECT vestige_sql.forget_model(%%L, %%L);', %7$L, %4$L)], '{}', '{rewrite,widen,swap,fill,online,back}'
    FROM vestige_sql.registry_says(%8$L::oid::regclass, %4$L) AS m
    WHERE %5$L <> '' AND m.is_known$registry$,
            e."column", :'schema'::text, :'table'::text, :'embedding_column'::text, :'row_filter'::text, :'verb'::text,
            e.name, e.target, e.attnum)
        WHERE k.may_be_read
        UNION ALL
        -- vectors of several dimensions, and what tells them apart
        SELECT format($dimensions$
    UNION ALL
    SELECT
        48, 'several_dimensions', %1$L,
        format('%%s has vectors of several dimensions: %%s', %1$L, d.list),
        format('a run gives all rows one model; name the rows that are meant with --where, %%ssuch as %%s; nothing was written',
            CASE WHEN c.name IS NULL THEN 'by a column that tells them apart, ' ELSE '' END,
            coalesce(c.example, '--where "collection = ''docs''"')),
        '{}', '{}', '{rewrite,widen,swap,rows,online}'
    FROM (
        SELECT count(*) AS dimensions,
            string_agg(format('%%s (%%s rows)', g.dimension, ltrim(to_char(g.rows, '999,999,999,999'))), ', ' ORDER BY g.dimension) AS list
        FROM (
            SELECT %2$I.vector_dims(t.%3$I) AS dimension, count(*) AS rows FROM %4$s t WHERE t.%3$I IS NOT NULL GROUP BY 1
        ) AS g
    ) AS d
    -- The table is read again only where there is something to tell apart.
    LEFT JOIN LATERAL (SELECT x.* FROM %5$s AS x WHERE d.dimensions > 1 AND x.name IS NOT NULL LIMIT 1) AS c ON true
    WHERE d.dimensions > 1$dimensions$,
            e."column", e.type_schema, e.attname, e.name,
            coalesce((
                SELECT '(' || string_agg(pick.text, ' UNION ALL ') || ')'
                FROM (
                    SELECT format(
                        'SELECT * FROM (SELECT %1$L AS name, '
                        'string_agg(format(''--where "%%s = %%s"'', %1$L, quote_literal(g.value)), '' or '' ORDER BY g.value) AS example '
                        'FROM (SELECT t.%2$I::text AS value, count(DISTINCT %3$I.vector_dims(t.%4$I)) AS dimensions FROM %5$s t '
                        'WHERE t.%4$I IS NOT NULL GROUP BY 1) AS g HAVING max(g.dimensions) = 1 AND count(*) BETWEEN 2 AND 8) AS x',
                        a.attname, a.attname, e.type_schema, e.attname, e.name) AS text
                    FROM pg_catalog.pg_attribute a
                    JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
                    WHERE a.attrelid = e.target AND a.attnum > 0 AND NOT a.attisdropped AND a.attname ~ '^[a-z_][a-z0-9_]*$'
                      AND a.attname::text <> :'content_column'
                      AND (y.typcategory = 'S' OR y.typname IN ('int2', 'int4', 'int8', 'uuid', 'bool') OR y.typtype = 'e')
                      AND NOT EXISTS (
                          SELECT FROM pg_catalog.pg_index i
                          WHERE i.indrelid = e.target AND i.indisunique AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
                      -- Statistics say that it has many values. The view shows everybody those of the tables that they may read.
                      AND NOT EXISTS (
                          SELECT FROM pg_catalog.pg_stats s
                          JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
                          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
                          WHERE c.oid = a.attrelid AND s.attname = a.attname AND (s.n_distinct < 0 OR s.n_distinct > 100))
                    ORDER BY a.attname ~ '(coll|model|dim)' DESC, a.attnum
                    LIMIT 3
                ) AS pick),
                '(SELECT NULL::text AS name, NULL::text AS example)'))
        -- An online run asks before it locks the table, and leaves its vectors as they are.
        WHERE e.typmod IS NULL AND :'row_filter' = '' AND e.may_look AND :'verb' <> 'back' AND NOT (:'verb' = 'online' AND e.is_locked)
        UNION ALL
        -- indexes that have such rows
        SELECT format($indexes$
    UNION ALL
    SELECT
        300, x.what, format('index %%s (%%s)', %1$L, x.kind), format('index %%s (%%s) hangs on %%s and cannot be kept', %1$L, x.kind, %2$L),
        'drop it before the run and recreate it afterwards; nothing was written',
        ARRAY[format('DROP INDEX %%s;', %1$L)], x.restore, '{rows}'
    FROM (
        SELECT
            CASE WHEN %9$L::boolean THEN 'index_without_cast' WHEN r.has_other THEN 'index_of_other_rows' ELSE 'index_says_dimension' END AS what,
            CASE
                WHEN %9$L::boolean THEN 'on a column that loses its dimension'
                WHEN r.has_other THEN 'of other rows too, for another dimension'
                ELSE 'whose predicate says the former dimension by another column' END AS kind,
            CASE
                WHEN %9$L::boolean THEN ARRAY[%3$L]
                WHEN r.has_other THEN ARRAY['-- it takes no vector of the new dimension; indexes with a predicate for each model take its place: ' || %4$L]
                ELSE ARRAY[%5$L, %3$L] END AS restore,
            r.has_such, r.has_other
        FROM (
            SELECT coalesce(bool_or(r.is_chosen), false) AS has_such, NOT coalesce(bool_and(r.is_chosen), true) AS has_other
            FROM (SELECT (%6$s) IS TRUE AS is_chosen FROM %7$s WHERE (%8$s)) AS r
        ) AS r
    ) AS x
    WHERE %9$L::boolean OR x.has_such AND (x.has_other OR %5$L IS NOT NULL)$indexes$,
            format('%I.%I', n.nspname, c.relname), e."column",
            CASE WHEN d.loses_typmod THEN regexp_replace(
                pg_get_indexdef(c.oid), '\(' || quote_ident(e.attname) || '\M', format('((%I::%s(%s))', e.attname, d.key_type, :dimension))
                || coalesce(' WHERE ' || nullif(:'row_filter'::text, ''), '')
            ELSE regexp_replace(regexp_replace(
                pg_get_indexdef(c.oid), '\m(vector|halfvec|bit)\(' || d.dimension || '\)', '\1(' || :dimension || ')', 'g'),
                '\m' || d.says || '( = ''?)' || d.dimension || '\M', d.says || '\1' || :dimension, 'g') END || ';',
            pg_get_indexdef(c.oid) || ';',
            CASE WHEN d.says IS NOT NULL THEN format('UPDATE %s SET %I = %s WHERE %s;', e.name, d.says, :dimension,
                concat_ws(' AND ', nullif(:'row_filter'::text, ''), pg_get_expr(i.indpred, i.indrelid))) END,
            coalesce(nullif(:'row_filter'::text, ''), 'true'), e.name, coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'),
            d.loses_typmod)
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute ka ON ka.attrelid = i.indexrelid AND ka.attnum = 1
        JOIN pg_catalog.pg_type kt ON kt.oid = ka.atttypid
        CROSS JOIN LATERAL (
            SELECT
                kt.typname AS key_type, nullif(ka.atttypmod, -1) AS dimension,
                i.indkey[0] = e.attnum AND e.typmod IS NOT NULL AND :keep_untyped AS loses_typmod,
                -- the column of the predicate that says the dimension, which is not a function of the vectors
                (SELECT coalesce(f.found[1], f.found[2])
                 FROM regexp_match(
                     pg_get_expr(i.indpred, i.indrelid),
                     '(?:\m([a-z_][a-z0-9_]*)|\m([a-z_][a-z0-9_]*)\)::\w+) = ''?' || ka.atttypmod || '\M') AS f (found)) AS says
        ) AS d
        WHERE i.indrelid = e.target AND (:'row_filter' <> '' OR :keep_untyped) AND e.may_look
          AND (i.indkey[0] = e.attnum OR i.indkey[0] = 0 AND i.indexprs::text ~ (':varattno ' || e.attnum || '\M'))
          AND (d.loses_typmod OR d.dimension <> :dimension)
    ) AS q),
    NULL)
FROM (
    -- whoever may not read the registry is told so by 20_of_the_server.sql
    SELECT count(*) = 4 AND to_regprocedure('vestige_sql.registry_says(regclass, name, text)') IS NOT NULL AS may_be_read
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'vestige_sql' AND c.relname IN ('home', 'model', 'run', 'kept')
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
) AS k
LEFT JOIN LATERAL (
    SELECT
        c.oid AS target, a.attnum, a.attname, nullif(a.atttypmod, -1) AS typmod, tn.nspname AS type_schema,
        format('%I.%I', n.nspname, c.relname) AS name,
        format('%I.%I.%I', n.nspname, c.relname, a.attname) AS "column",
        c.relname = 'knowledge_nodes' AND a.attname = 'embedding'
            AND to_regclass(format('%I.embedding_model', n.nspname)) IS NOT NULL AS is_vestiges,
        c.relpersistence <> 't' AND NOT row_security_active(c.oid) AND has_table_privilege(c.oid, 'SELECT') AS may_look,
        EXISTS (SELECT FROM pg_catalog.pg_locks l
            WHERE l.locktype = 'relation' AND l.relation = c.oid AND l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock' AND l.granted
        ) AS is_locked
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typname IN ('vector', 'halfvec')
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
    WHERE n.nspname = :'schema' AND c.relname = :'table' AND c.relkind = 'r'
) AS e ON true \gexec
