-- Drop the views that read the embedding column, the last one made first.
--
-- This comes before the lock on the target. A reader of a view holds the view first and then waits for the target; whoever had
-- the target and waited for the view would wait for it without end.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    refused, they are gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

-- squawk-ignore-file ban-drop-view -- views/create/ makes each of them again, in the same transaction
SELECT rtrim(s.statement, ';')
FROM pg_catalog.jsonb_array_elements(
    nullif(current_setting('vestige_sql.views', true), '')::jsonb -> 'views') WITH ORDINALITY AS v (saved, nr)
CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text(v.saved -> 'remove') AS s (statement)
WHERE nullif(current_setting('vestige_sql.views', true), '')::jsonb ->> 'of'
    = format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text)
ORDER BY v.nr DESC \gexec
