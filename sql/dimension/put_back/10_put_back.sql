-- Put back the default and the CHECK constraints that were set aside, with the new dimension.
--
-- Each row is checked.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, they are back
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid -- it is made again at once, and everybody waits already
SELECT s.statement
FROM (SELECT nullif(current_setting('vestige_sql.set_aside', true), '')::jsonb AS saved) AS f
CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text(f.saved -> 'back') WITH ORDINALITY AS s (statement, nr)
WHERE f.saved ->> 'of' = format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text)
ORDER BY s.nr \gexec
