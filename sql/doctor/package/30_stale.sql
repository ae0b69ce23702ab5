-- Find the rows whose text has changed since the package last knew it: since the switch, by the kept vectors, or since staging.
--
-- Vectors that an offline run keeps have the hash of the text that the live vector was made from, too. If the text is another now, the
-- live vector is older than the text, unless the application has made it anew: that is a warning. A staged vector of a former text is a note, for
-- the next run encodes it again. A sample of the kept or staged rows is looked at. The question is written for the tables that there are.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    content, sample_rows, key_is_k, embedding_column, schema, table

SELECT string_agg(format($ask$SELECT
    %1$L AS code, %2$L AS severity, %3$L AS object,
    format(%4$L, ltrim(to_char(count(*) FILTER (WHERE s.has_changed), '999,999,999')), ltrim(to_char(count(*), '999,999,999')), %3$L::text,
        array_to_string((array_agg(s.key ORDER BY s.key) FILTER (WHERE s.has_changed))[1 : 3], '; ')) AS what,
    %5$L::text AS why, %6$L::text AS "do"
FROM (
    SELECT k.id::text AS key, vestige_sql.content_hash(%7$s) IS DISTINCT FROM k.content_hash AS has_changed
    FROM %8$s AS k TABLESAMPLE SYSTEM (%9$s) REPEATABLE (0)
    JOIN %10$s t ON %11$s
    %12$s
) AS s
HAVING count(*) FILTER (WHERE s.has_changed) > 0$ask$,
    n.code, n.severity, x."column", n.what, n.why, n.do_this, :'content'::text, format('vestige_sql.%I', c.relname),
    round(least(100, 100.0 * :sample_rows / greatest(p.rows, 1)), 6), x.table_name, :'key_is_k'::text,
    CASE n.code WHEN 'stale_vector' THEN format('WHERE t.%I IS NOT NULL', :'embedding_column'::text) ELSE '' END
), E'\nUNION ALL\n' ORDER BY n.code)
FROM (
    SELECT y.*, left(encode(sha256(convert_to(y."column", 'UTF8')), 'hex'), 16) AS suffix
    FROM (
        SELECT format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS "column",
            format('%I.%I', :'schema'::text, :'table'::text) AS table_name
    ) AS y
) AS x
CROSS JOIN (VALUES
    ('kept_', 'stale_vector', 'warning', 'the text of %s of %s rows of %s has changed since their vectors were made (such as %s)',
     'Searches find these rows by what they said before, unless the application has made their vectors anew.',
     'if it has not: UPDATE .. SET .. = NULL for these rows, then vestige-sql migrate reembed with the registered model embeds them'),
    ('stage_', 'stale_staged', 'note', 'the text of %s of %s staged rows of %s has changed since (such as %s)',
     'The live vectors are not touched. The run encodes these rows again before it puts anything in place.',
     'vestige-sql migrate stage with the same model does so now')
) AS n (prefix, code, severity, what, why, do_this)
JOIN pg_catalog.pg_class c ON c.relnamespace = 'vestige_sql'::regnamespace AND c.relname = n.prefix || x.suffix
CROSS JOIN LATERAL (
    SELECT (pg_relation_size(c.oid) / current_setting('block_size')::integer
        * CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN c.reltuples / c.relpages ELSE 20 END)::numeric AS rows
) AS p
WHERE :'key_is_k' <> '' \gexec
