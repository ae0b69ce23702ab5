-- Set aside what says the old dimension and can say the new one: the default, and CHECK constraints about the column alone.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, they are gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

-- squawk-ignore-file ban-drop-default, ban-drop-constraint -- dimension/put_back/ puts it back, in the same transaction
SELECT s.statement
FROM (SELECT nullif(current_setting('vestige_sql.set_aside', true), '')::jsonb AS saved) AS f
CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text(f.saved -> 'away') WITH ORDINALITY AS s (statement, nr)
WHERE f.saved ->> 'of' = format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text)
ORDER BY s.nr \gexec
