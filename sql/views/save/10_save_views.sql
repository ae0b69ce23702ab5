-- Remember the views that are dropped and made again, and check that each can be made again as it was.
--
-- probe/refusals/50_of_the_views.sql has asked for them, in this very transaction.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, what is remembered stays until the views are there again
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

SELECT
    vestige_sql.require(
        x.asked,
        format('this transaction has not looked for the views of %s; nothing was changed', x."column"),
        'run sql/probe/refusals/50_of_the_views.sql before sql/views/save/, in the same transaction (psql -1)'),
    vestige_sql.require(
        x.not_made IS NULL,
        format('what reads %s cannot be made again as it was: %s; nothing was changed', x."column", x.not_made),
        'drop it before the run and recreate it afterwards; vestige-sql migrate probe names what is in the way'),
    pg_catalog.set_config('vestige_sql.views', CASE WHEN x.saved ->> 'of' = x."column" THEN x.saved
        ELSE pg_catalog.jsonb_build_object('of', x."column", 'views', x.views) END::text, true) AS views
FROM (
    SELECT
        f."column", f.saved,
        EXISTS (SELECT FROM pg_catalog.jsonb_array_elements(f.rows) AS r WHERE r ->> 'what' = 'asked' AND r ->> 'object' = f."column") AS asked,
        (SELECT string_agg(r ->> 'object', '; ')
         FROM pg_catalog.jsonb_array_elements(f.rows) AS r WHERE r ->> 'what' = 'view_not_made') AS not_made,
        (SELECT coalesce(pg_catalog.jsonb_agg(r), '[]')
         FROM pg_catalog.jsonb_array_elements(f.rows) AS r WHERE r ->> 'what' = 'view') AS views
    FROM (
        SELECT
            format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS "column",
            coalesce(nullif(current_setting('vestige_sql.refusals', true), '')::jsonb -> 'views', '[]') AS rows,
            nullif(current_setting('vestige_sql.views', true), '')::jsonb AS saved
    ) AS f
) AS x;
