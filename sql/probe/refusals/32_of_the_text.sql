-- List what the column with the text refuses for what it is, with the expression that makes a text of it.
--
-- Of JSON, XML and arrays PostgreSQL has a text too, with all braces, tags and quotes. Vectors of that find other rows than vectors of
-- what it says. The keys are those of a few rows. Of these the key with the most words is named.
--
-- The step writes the question, which psql then asks. The first row only says which column was asked. The rows are remembered for
-- this transaction, for 80_by_way.sql. Going back is not ruled out.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, content_column

SELECT format($ask$WITH refusals (place, what, object, message, hint, remove, restore, rules_out) AS (
    SELECT 0, 'asked', %1$L, 'its text', '', '{}'::text[], '{}'::text[], '{}'::text[]%2$s
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('text', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place) FROM refusals r)))::text, true)
)
SELECT r.* FROM refusals r CROSS JOIN remembered ORDER BY r.place$ask$,
    format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
    CASE WHEN x.name IS NOT NULL THEN format($text$
    UNION ALL
    SELECT
        27, 'not_a_text', %1$L, format('%%s is of type %%s, which is no text', %1$L, %2$L),
        CASE WHEN k.expression ~ '["$`\\!]' THEN format('name the text that is in it: --content-expression ''%%s''%%s; nothing was written',
                replace(k.expression, '''', '''\'''''), k.more)
            ELSE format('name the text that is in it: --content-expression "%%s"%%s; nothing was written', k.expression, k.more) END,
        '{}', '{}', '{rewrite,widen,swap,fill,online}'
    FROM %3$s AS k (expression, more)$text$,
        x.name, x.full_type, CASE
            WHEN x.typname IN ('json', 'jsonb') THEN format($keys$
        (SELECT %1$L || ' ->> ' || coalesce(quote_literal((array_agg(f.key ORDER BY f.with_words DESC, f.characters DESC, f.key))[1]), '''KEY'''),
            coalesce('; its keys are ' || string_agg(f.key, ', ' ORDER BY f.rows DESC, f.key), '')
        FROM (
            SELECT e.key, count(*) AS rows, count(*) FILTER (WHERE e.value ~ '\s') AS with_words, avg(length(e.value)) AS characters
            FROM (
                SELECT t.%2$I::text AS value FROM %3$s t
                -- no text has this character
                WHERE %4$s AND t.%2$I::text LIKE '{%%' AND t.%2$I::text NOT LIKE '%%\\u0000%%'
                LIMIT 200
            ) AS s
            CROSS JOIN LATERAL json_each_text(s.value::json) AS e
            GROUP BY e.key
            ORDER BY rows DESC, e.key
            LIMIT 20
        ) AS f)$keys$, quote_ident(x.attname), x.attname, x.table_name, x.may_look)
            WHEN x.typname = 'xml' THEN format('(SELECT %L, '', or another expression where the tags are no text'')',
                quote_ident(x.attname) || '::text')
            ELSE format('(SELECT %L, %L)', format('%I.joined(%I)', :'schema'::text, x.attname), format(
                ', with a function of your own such as CREATE FUNCTION %I.joined(%s) RETURNS text LANGUAGE sql IMMUTABLE AS '
                '''SELECT array_to_string($1, '''' '''')''', :'schema'::text, x.full_type)) END) END)
FROM (SELECT) AS one
LEFT JOIN LATERAL (
    SELECT
        a.attname, t.typname, format_type(a.atttypid, a.atttypmod) AS full_type, format('%I.%I', n.nspname, c.relname) AS table_name,
        format('%I.%I.%I', n.nspname, c.relname, a.attname) AS name,
        has_column_privilege(c.oid, a.attnum, 'SELECT')::text AS may_look
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE n.nspname = :'schema' AND c.relname = :'table' AND a.attname::text = :'content_column'
      AND (t.typname IN ('json', 'jsonb', 'xml') AND t.typnamespace = 'pg_catalog'::regnamespace OR t.typcategory = 'A')
) AS x ON true \gexec
