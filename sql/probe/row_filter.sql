-- Show the condition that chooses the target's rows, as PostgreSQL has understood it, and an empty text for all rows.
--
-- refusals/13_try_expressions.sql has read it in this very transaction.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT coalesce((
    SELECT x.expression
    FROM jsonb_to_recordset(coalesce(nullif(current_setting('vestige_sql.expressions', true), ''), '[]')::jsonb) AS x (
        of text, expression text)
    WHERE x.of = 'rows'), '') AS row_filter;
