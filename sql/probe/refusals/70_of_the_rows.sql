-- List what the rows and the former vectors refuse.
--
-- Rows without text are refused where the column is NOT NULL, or a CHECK says so. An online run asks this before it locks the table, and again of the rows
-- that it notes: nobody waits while all rows are read. Vectors of an earlier run are refused while they are kept. Rows of
-- hundreds of columns may have no room for a second vector.
--
-- The step writes the question, which psql then asks. The rows are looked at only where the column is NOT NULL or the
-- columns are so many. The columns
-- and the package's tables need not be there. The first row only says which column was asked. remove holds statements that
-- take the reason away. restore holds statements that bring back what those took. The rows are remembered for this
-- transaction, for 80_by_way.sql. The verb back is the way back to the former vectors. Its question is about rows that have
-- none of these.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, verb, content, dimension, id_schema, key, is_chosen, row_filter, content_columns, id_columns

SELECT format($ask$WITH refusals (place, what, object, message, hint, remove, restore, rules_out) AS (
    SELECT 0, 'asked', %1$L, 'its rows, and its former vectors', '', '{}'::text[], '{}'::text[], '{}'::text[]%2$s%3$s%4$s%5$s%6$s%7$s%8$s
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('rows', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place) FROM refusals r)))::text, true)
)
SELECT r.* FROM refusals r CROSS JOIN remembered ORDER BY r.place$ask$,
    format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
    CASE WHEN k.is_there AND :'verb' <> 'back' THEN format($kept$
    UNION ALL
    SELECT
        200, 'still_kept', %1$L,
        format('the former vectors of %%s are still kept: they are of %%s', %1$L,
            CASE WHEN k.model_hash IS NULL THEN 'no registered model'
                ELSE format('%%s (%%s dimensions, hash %%s)', k.model_name, k.dimension, left(k.model_hash, 12)) END),
        'vestige-sql migrate finalize drops them, or clears up where they were dropped by hand; vestige-sql migrate rollback goes back to them; nothing was written',
        '{}', '{}', '{rewrite,widen,swap,online}'
    FROM vestige_sql.kept k
    WHERE k.table_schema = %2$L AND k.table_name = %3$L AND k.column_name = %4$L$kept$,
        e."column", :'schema'::text, :'table'::text, :'embedding_column'::text) END,
    CASE WHEN e.is_not_null AND e.has_text_column AND :'verb' <> 'back' AND NOT (:'verb' = 'online' AND e.is_locked) THEN format($blank$
    UNION ALL
    SELECT
        220, 'rows_without_text', %1$L,
        format('%%s is NOT NULL, and %%s rows have no text to embed, such as that with the key %%s', %1$L,
            ltrim(to_char(b.rows, '999,999,999,999')), b.key),
        format('give them text, delete them, or let the column have NULL (%%s); nothing was written', %7$L),
        ARRAY[%5$L], ARRAY[%6$L], '{rewrite,widen,swap,online}'
    FROM (
        SELECT count(*) AS rows, min(concat_ws(', ', %4$s)) AS key FROM %2$s t
        -- as vestige_sql.has_text() says it, which may not be there yet
        WHERE NOT (%3$s IS NOT NULL AND (
            -- most texts begin with a printing character of ASCII, which says it at once
            %3$s ~>=~ '!' AND %3$s ~<~ E'\x7f'
            OR octet_length(btrim(
                %3$s,
                E' \t\n\u000b\f\r\u001c\u001d\u001e\u001f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
            )) > 0))
    ) AS b
    WHERE b.rows > 0$blank$,
        e."column", e.rows_meant, :'content'::text, coalesce(e.key_columns, 'NULL'),
        e.let_null, format('-- its rows without text have no vector: %s', e.deny_null), rtrim(e.let_null, ';')) END,
    CASE WHEN e.not_valid IS NOT NULL AND :'verb' <> 'back' AND NOT (:'verb' = 'online' AND e.is_locked) THEN format($null$
    UNION ALL
    SELECT
        221, 'rows_without_vector', %1$L,
        format('%%s is NOT NULL by a constraint that is NOT VALID, %%s, and %%s rows have no vector, so nobody can update them', %1$L, %4$L,
            ltrim(to_char(b.rows, '999,999,999,999'))),
        'take --apply rewrite, or drop the constraint during the run; nothing was written',
        ARRAY[%5$L], ARRAY[%6$L], '{swap,online}'
    FROM (SELECT count(*) AS rows FROM %2$s t WHERE t.%3$I IS NULL) AS b
    WHERE b.rows > 0$null$,
        e."column", e.name, e.attname, e.not_valid,
        format('ALTER TABLE %s DROP CONSTRAINT %I;', e.name, e.not_valid),
        format('ALTER TABLE %s ADD CONSTRAINT %I %s;', e.name, e.not_valid, e.not_valid_says)) END,
    CASE WHEN e.has_checks AND to_regprocedure('vestige_sql.column_checks(regclass, name, name, integer)') IS NOT NULL AND :'verb' <> 'back' THEN format($held$
    UNION ALL
    SELECT
        211, 'placeholder_denied', %1$L,
        format('%%s is NOT NULL, and %%s lets no placeholder in, which a row has while a second column is filled', %1$L, k.check_name),
        'run without --online, or drop the constraint during the run; nothing was written',
        ARRAY[format('ALTER TABLE %%s DROP CONSTRAINT %%I;', %2$L, k.check_name)],
        ARRAY[format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s;', %2$L, k.check_name, pg_get_constraintdef(k.oid))], '{online}'
    FROM (
        SELECT c.check_name, o.oid, c.fails, c.denies_placeholder AND (%6$L OR bool_or(c.denies_null) OVER ()) AS is_denied
        FROM vestige_sql.column_checks(%2$L, %3$L, %4$L, %5$s) AS c
        JOIN pg_catalog.pg_constraint o ON o.conrelid = %2$L::regclass AND o.conname = c.check_name
    ) AS k
    WHERE k.is_denied
    UNION ALL
    SELECT
        212, 'check_fails', %1$L,
        format('%%s of %%s fails for any vector of %%s dimensions', k.check_name, %1$L, %5$L),
        'run without --online, or drop the constraint during the run; nothing was written',
        ARRAY[format('ALTER TABLE %%s DROP CONSTRAINT %%I;', %2$L, k.check_name)],
        ARRAY[format('-- %%s dimensions do not fit: ALTER TABLE %%s ADD CONSTRAINT %%I %%s;', %5$L, %2$L, k.check_name, pg_get_constraintdef(k.oid))], '{online}'
    FROM (
        SELECT c.check_name, o.oid, c.fails, c.denies_placeholder AND (%6$L OR bool_or(c.denies_null) OVER ()) AS is_denied
        FROM vestige_sql.column_checks(%2$L, %3$L, %4$L, %5$s) AS c
        JOIN pg_catalog.pg_constraint o ON o.conrelid = %2$L::regclass AND o.conname = c.check_name
    ) AS k
    WHERE k.fails$held$,
        e."column", e.name, e.attname, 'embedding_' || e.suffix, coalesce((:dimension)::text, 'NULL'), e.attnotnull) END,
    CASE WHEN e.is_not_null AND e.has_text_column AND e.has_id_column AND k.is_there AND :'verb' = 'back' THEN format($back$
    UNION ALL
    SELECT
        220, 'rows_not_kept', %1$L,
        format('%%s is NOT NULL, and %%s rows written since have no kept vector', %1$L,
            ltrim(to_char(b.rows, '999,999,999,999'))),
        format('%%s, roll back, and have the rows embedded; nothing was written', rtrim(%3$L, ';')),
        ARRAY[%3$L], ARRAY[%4$L], '{rewrite,widen,swap,back}'
    FROM (SELECT count(*) AS rows FROM %2$s) AS b
    WHERE b.rows > 0$back$,
        e."column",
        CASE
            WHEN e.is_kept_beside THEN format(
                '%s t WHERE t.%I IS NULL', e.name, e.kept_column)
            WHEN e.is_kept_apart THEN format(
                '%1$s t LEFT JOIN vestige_sql.%2$I k ON k.id OPERATOR(%3$I.=) %4$s'
                ' AND k.content_hash = vestige_sql.content_hash(%5$s) WHERE k.id IS NULL AND vestige_sql.has_text(%5$s)'
                ' AND %6$s',
                e.name, e.kept_table, :'id_schema'::text, :'key'::text, :'content'::text, :'is_chosen'::text)
            ELSE '(SELECT WHERE false) AS none' END,
        e.let_null, e.deny_null) END,
    CASE WHEN w.most_bytes > 8160 AND :'verb' <> 'back' THEN format($wide$
    UNION ALL
    SELECT
        406, 'rows_too_wide', %1$L,
        format('%%s rows of %%s have no room for a second vector: PostgreSQL has 8,160 bytes for a row', ltrim(to_char(b.rows, '999,999,999,999')), %1$L),
        'take --apply rewrite, which adds no column, or move other columns into a table of their own; nothing was written',
        '{}', '{}', '{swap,online}'
    FROM (
        SELECT count(*) AS rows FROM %1$s t
        -- with 18 bytes for the second vector, or for where it is stored
        WHERE %2$s + 18 + (SELECT sum(x.bytes) FROM unnest(ARRAY[%3$s]) AS x (bytes)) > 8160
    ) AS b
    WHERE b.rows > 0$wide$,
        e.name, w.head_bytes, w.bytes_of_each) END,
    CASE WHEN :'verb' <> 'back' AND NOT (:'verb' = 'online' AND e.is_locked) THEN s.of_checks END)
FROM (SELECT to_regclass('vestige_sql.kept') IS NOT NULL AS is_there) AS k
LEFT JOIN LATERAL (
    SELECT
        x.*,
        CASE :'row_filter' WHEN '' THEN x.name ELSE format('(SELECT * FROM %s WHERE %s)', x.name, :'row_filter'::text) END AS rows_meant,
        x.attnotnull OR n.conname IS NOT NULL AS is_not_null,
        CASE WHEN x.attnotnull THEN format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL;', x.name, x.attname)
            WHEN n.conname IS NOT NULL THEN format('ALTER TABLE %s DROP CONSTRAINT %I;', x.name, n.conname) END AS let_null,
        CASE WHEN x.attnotnull THEN format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL;', x.name, x.attname)
            WHEN n.conname IS NOT NULL THEN format('ALTER TABLE %s ADD CONSTRAINT %I %s;', x.name, n.conname, n.says) END AS deny_null,
        CASE WHEN NOT n.convalidated THEN n.conname END AS not_valid,
        n.says AS not_valid_says,
        EXISTS (SELECT FROM pg_catalog.pg_constraint c
            WHERE c.conrelid = x.target AND c.contype = 'c' AND c.conkey = ARRAY[x.attnum]) AS has_checks,
        :'content_columns'::text[] <@ ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = x.target AND NOT a.attisdropped) AND :'content' <> '' AS has_text_column,
        :'id_columns'::text[] <@ ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = x.target AND NOT a.attisdropped) AS has_id_column,
        (SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY array_position(:'id_columns'::text[], a.attname::text))
         FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = x.target AND a.attname::text = ANY (:'id_columns'::text[]) AND NOT a.attisdropped) AS key_columns,
        EXISTS (SELECT FROM pg_catalog.pg_locks l
            WHERE l.locktype = 'relation' AND l.relation = x.target AND l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock' AND l.granted
        ) AS is_locked,
        'former_embedding_' || x.suffix AS kept_column,
        'kept_' || x.suffix AS kept_table,
        EXISTS (SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = x.target AND a.attname = 'former_embedding_' || x.suffix AND NOT a.attisdropped) AS is_kept_beside,
        to_regclass('vestige_sql.kept_' || x.suffix) IS NOT NULL AS is_kept_apart
    FROM (
        SELECT
            c.oid AS target, format('%I.%I', n.nspname, c.relname) AS name, a.attname, a.attnum, a.attnotnull,
            format('%I.%I.%I', n.nspname, c.relname, a.attname) AS "column",
            left(encode(sha256(convert_to(format('%I.%I.%I', n.nspname, c.relname, a.attname), 'UTF8')), 'hex'), 16) AS suffix
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
        WHERE n.nspname = :'schema' AND c.relname = :'table' AND c.relkind IN ('r', 'p')
    ) AS x
    LEFT JOIN LATERAL (
        -- NOT NULL, which PostgreSQL keeps as a constraint since 18, or a CHECK that says so
        SELECT n.conname, n.convalidated, pg_get_constraintdef(n.oid) AS says
        FROM pg_catalog.pg_constraint n
        WHERE n.conrelid = x.target AND n.conkey = ARRAY[x.attnum]
          AND (n.contype = 'n' OR n.contype = 'c' AND pg_get_expr(n.conbin, n.conrelid) ~ '^\(+("[^"]+"|\w+) IS NOT NULL\)'
              AND pg_get_expr(n.conbin, n.conrelid) !~ '\mOR\M')
        ORDER BY n.convalidated, n.contype DESC, n.conname
        LIMIT 1
    ) AS n ON true
) AS e ON true
LEFT JOIN LATERAL (
    -- What a row takes at least, once all is stored elsewhere that can be, and at most then.
    SELECT
        h.head_bytes,
        h.head_bytes + 18 + sum(CASE WHEN c.attlen > 0 THEN c.attlen + c.padding ELSE 24 END) AS most_bytes,
        string_agg(format(CASE
            WHEN c.attlen > 0 THEN 'CASE WHEN t.%1$I IS NULL THEN 0 ELSE %2$s END'
            WHEN c.attstorage = 'p' THEN 'coalesce(pg_column_size(t.%1$I), 0)'
            ELSE 'CASE WHEN pg_column_size(t.%1$I) > 24 THEN 18 ELSE coalesce(pg_column_size(t.%1$I), 0) END'
        END, c.attname, c.attlen + c.padding), ', ') AS bytes_of_each
    FROM (
        SELECT
            a.attname, a.attlen, a.attstorage,
            CASE WHEN a.attalign = lag(a.attalign) OVER (ORDER BY a.attnum) AND lag(a.attlen) OVER (ORDER BY a.attnum) > 0 THEN 0
                ELSE CASE a.attalign WHEN 'd' THEN 7 WHEN 'i' THEN 3 WHEN 's' THEN 1 ELSE 0 END END AS padding
        FROM pg_catalog.pg_attribute a
        -- a virtual column is nowhere
        WHERE a.attrelid = e.target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
    ) AS c
    CROSS JOIN (
        -- the header, and a bit a column that says which are NULL, to the next multiple of 8
        SELECT (23 + (t.relnatts + 1 + 7) / 8 + 7) / 8 * 8 AS head_bytes FROM pg_catalog.pg_class t WHERE t.oid = e.target
    ) AS h
    GROUP BY h.head_bytes
) AS w ON true
LEFT JOIN LATERAL (
    -- CHECK constraints that say of which columns there may be values: the run gives the column one in each row with text.
    SELECT string_agg(format($check$
    UNION ALL
    SELECT
        213, 'check_violated', %1$L,
        format('%%s of %%s would not hold for %%s rows once they have vectors there, such as that with the key %%s', %2$L, %1$L,
            ltrim(to_char(b.rows, '999,999,999,999')), b.key),
        'a run writes this column and leaves all others alone: drop the constraint during the run, and make it again once the rows comply; '
            'nothing was written',
        ARRAY[%3$L], ARRAY[%4$L], '{rewrite,widen,swap,fill,online}'
    FROM (
        SELECT count(*) AS rows, min(x.key_of_row) AS key
        FROM (SELECT %5$s, concat_ws(', ', %6$s) AS key_of_row FROM %7$s t WHERE btrim(%8$s) <> '') AS x
        WHERE (%9$s) IS FALSE
    ) AS b
    WHERE b.rows > 0$check$,
            e."column", c.conname, format('ALTER TABLE %s DROP CONSTRAINT %I;', e.name, c.conname),
            format('-- once its rows comply: ALTER TABLE %s ADD CONSTRAINT %I %s;', e.name, c.conname, pg_get_constraintdef(c.oid)),
            u.columns, coalesce(e.key_columns, 'NULL'), e.name, :'content'::text, x.says), '' ORDER BY c.conname) AS of_checks
    FROM pg_catalog.pg_constraint c
    CROSS JOIN LATERAL (SELECT pg_get_expr(c.conbin, c.conrelid)) AS x (says)
    CROSS JOIN LATERAL (
        SELECT string_agg(CASE a.attnum WHEN e.attnum THEN format('CAST(''[1]'' AS %s) AS %I', format_type(a.atttypid, NULL), a.attname)
            ELSE format('t.%I', a.attname) END, ', ') AS columns
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
    ) AS u
    WHERE c.conrelid = e.target AND c.contype = 'c' AND e.attnum = ANY (c.conkey) AND cardinality(c.conkey) > 1 AND e.has_text_column
      -- nothing is said of what the vector is
      AND NOT regexp_replace(x.says, 'num_(non)?nulls\([^()]*\)|("[^"]+"|\w+) IS (NOT )?NULL', '', 'g')
          ~ ('(^|\W)' || regexp_replace(quote_ident(e.attname), '([^\w])', '\\\1', 'g') || '(\W|$)')
) AS s ON true \gexec
