-- Show how statements say the text of a row, whether it is one column or an expression over several.
--
-- The values are SQL, made from the catalog and from what refusals/13_try_expressions.sql has remembered in this transaction. In them
-- t is a row of the target:
--
--   content             the text of t; content_expression is the expression as PostgreSQL has understood it, empty for a column
--   content_columns     the columns that it is made of, as an array
--   content_changes     for a trigger: whether any of these columns has other bytes than before
--   content_name        the column or the expression, for people and for the registry
--   content_numbered    the expression with the columns' numbers for their names, empty for a column
--
-- A trigger compares columns, and evaluates no expression: what fails there, or may not be called, would fail the application's write.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    content_column, content_expression, schema, table

SELECT
    CASE WHEN e.given <> '' THEN coalesce('((' || x.of_t || ')::text COLLATE pg_catalog."default")', '')
        WHEN :'content_column' = '' THEN ''
        ELSE format('t.%I::text', :'content_column'::text) END AS content,
    coalesce(x.expression, e.given) AS content_expression,
    c.columns::text AS content_columns,
    (SELECT coalesce(string_agg(format(
        'OLD.%1$I::text COLLATE pg_catalog."C" IS DISTINCT FROM NEW.%1$I::text COLLATE pg_catalog."C"', u.name), ' OR ' ORDER BY u.place), '')
     FROM unnest(c.columns) WITH ORDINALITY AS u (name, place)) AS content_changes,
    coalesce(x.expression, nullif(e.given, ''), :'content_column'::text) AS content_name,
    coalesce(x.numbered, '') AS content_numbered
FROM (VALUES (:'content_expression'::text)) AS e (given)
LEFT JOIN LATERAL jsonb_to_recordset(coalesce(nullif(current_setting('vestige_sql.expressions', true), ''), '[]')::jsonb) AS x (
    of text, target oid, given text, of_t text, expression text, numbered text, columns text[])
    ON x.of = 'content' AND e.given IN (x.given, x.expression) AND x.of_t IS NOT NULL
    AND x.target = to_regclass(format('%I.%I', :'schema'::text, :'table'::text))
CROSS JOIN LATERAL (
    SELECT CASE WHEN e.given <> '' THEN coalesce(x.columns, '{}') ELSE ARRAY[:'content_column'::text] END AS columns
) AS c
\gset
