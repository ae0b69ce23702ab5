-- Make the views again that were dropped, as they were, and fill the materialized ones that were filled.
--
-- The statements were written by probe/refusals/50_of_the_views.sql, in this very transaction. A materialized view is filled
-- once it is its owner's: the server runs its query with the owner's rights.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    refused, they are there
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

-- squawk-ignore-file require-concurrent-index-creation -- the materialized view is not there for others yet
SELECT rtrim(s.statement, ';')
FROM pg_catalog.jsonb_array_elements(
    nullif(current_setting('vestige_sql.views', true), '')::jsonb -> 'views') WITH ORDINALITY AS v (saved, nr)
CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text(v.saved -> 'restore') WITH ORDINALITY AS s (statement, nr)
WHERE nullif(current_setting('vestige_sql.views', true), '')::jsonb ->> 'of'
    = format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text)
ORDER BY v.nr, s.nr \gexec
