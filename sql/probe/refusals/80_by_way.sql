-- Show which way may be taken, and why each other way may not.
--
-- The reasons are the rows that the files before this one have remembered. What comes first in a way's order is said, all of
-- its kind at once. not_at_all says that no way may be taken. The result is remembered for this transaction, for
-- gate/03_nothing_refuses.sql, once every file before this one was run.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

WITH asked AS MATERIALIZED (
    SELECT
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb AS parts,
        format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS "column"
),
found AS (
    SELECT r.*, row_number() OVER (ORDER BY r.place, p.part, r.nr) AS nr_of_all
    FROM asked a
    CROSS JOIN LATERAL jsonb_each(a.parts) AS p (part, rows)
    CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(p.rows) AS (
        place integer, what text, object text, message text, hint text, remove text[], restore text[], rules_out text[]
    )) WITH ORDINALITY AS r (place, what, object, message, hint, remove, restore, ways, nr)
),
refusals AS (
    SELECT
        f.*,
        -- What rules out that missing vectors are written in place, or any vectors, rules out the vectors of some rows too.
        f.ways || CASE
            WHEN 'fill' = ANY (f.ways) AND f.what <> 'another_text' THEN '{rows}'
            WHEN 'widen' = ANY (f.ways) AND f.what IN (
                'still_kept', 'kept_of_another', 'kept_under_another_name', 'no_verdict', 'rows_without_text', 'rows_not_kept',
                'check_violated',
                'old_dimension', 'index_too_large', 'storage_plain') THEN '{rows}'
            -- so does what hangs on the column, where it changes its type
            WHEN 'widen' = ANY (f.ways) AND f.place = 300
                AND EXISTS (SELECT FROM found x WHERE x.what = 'loses_its_dimension') THEN '{rows}'
            ELSE '{}' END::text[] AS rules_out
    FROM found f
),
ways (nr, way) AS (
    VALUES (1, 'rewrite'), (2, 'swap'), (3, 'widen'), (4, 'fill'), (5, 'online'), (6, 'back'), (7, 'rows')
),
first AS (
    SELECT w.nr, w.way, min(r.place) AS place
    FROM ways w
    LEFT JOIN refusals r ON w.way = ANY (r.rules_out)
    GROUP BY w.nr, w.way
),
said AS (
    SELECT
        f.nr, f.way, f.place,
        array_agg(r.what ORDER BY r.nr_of_all) AS what,
        CASE f.place
            WHEN 300 THEN format('%s cannot keep what hangs on %s: %s', f.way, a."column", string_agg(r.object, '; ' ORDER BY r.nr_of_all))
            ELSE string_agg(r.message, '; ' ORDER BY r.nr_of_all)
        END AS message,
        min(r.hint) AS hint,
        bool_and(r.ways @> '{rewrite,widen,swap,fill,online,back}') AS not_at_all,
        -- what was made last goes first
        string_agg(array_to_string(r.remove, E'\n'), E'\n' ORDER BY r.nr_of_all DESC) FILTER (WHERE r.remove <> '{}') AS remove,
        string_agg(array_to_string(r.restore, E'\n'), E'\n' ORDER BY r.nr_of_all) FILTER (WHERE r.restore <> '{}') AS restore
    FROM asked a
    CROSS JOIN first f
    JOIN refusals r ON r.place = f.place AND f.way = ANY (r.rules_out)
    GROUP BY f.nr, f.way, f.place, a."column"
),
told AS (
    SELECT
        s.nr, s.way, s.what, s.message, s.not_at_all,
        CASE WHEN 'view' = ANY (s.what) THEN
            'with --recreate-views (psql: -v recreate_views=true) the run drops the views and makes them again; or ' ELSE '' END
        || s.hint || CASE WHEN s.place = 300 THEN
            coalesce(E'\nThese statements remove it; some objects have none:\n' || s.remove, '') || coalesce(E'\nThese make it again afterwards:\n' || s.restore, '')
            ELSE '' END AS hint
    FROM said s
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refused', CASE
        WHEN a.parts ?& '{server,table,text,package,column,views,second_column,registry,some_rows,rows,verdict}' AND NOT EXISTS (
            SELECT FROM refusals r WHERE r.what = 'asked' AND r.object NOT IN (a."column", format('database %I', current_database())))
        THEN jsonb_build_object('of', a."column", 'ways', coalesce((
            SELECT jsonb_object_agg(t.way, jsonb_build_object('message', t.message, 'hint', t.hint)) FROM told t), '{}'))::text
        ELSE '' END, true)
    FROM asked a
)
SELECT w.way, t.what IS NULL AS may_be_taken, coalesce(t.not_at_all, false) AS not_at_all, t.what, t.message, t.hint
FROM ways w
LEFT JOIN told t ON t.way = w.way
CROSS JOIN remembered
ORDER BY w.nr;
