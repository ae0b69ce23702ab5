-- Check that no former vector is left of a row whose text changed during the run.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    outdated_table, schema, table

SELECT vestige_sql.require(
    NOT EXISTS (SELECT FROM vestige_sql.:"outdated_table"),
    pg_catalog.format('rows of %I.%I whose text changed during the run still have their former vectors; the new vectors are live',
        :'schema'::text, :'table'::text),
    'run sql/online/forget/*.sql until it returns 0, or run vestige-sql migrate reembed --online');
