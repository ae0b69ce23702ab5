-- Let the second column promise what the live one does: add the CHECK constraints that are about that column alone, not yet validated.
--
-- Every row has NULL there, or the placeholder, so no row is read. New vectors are checked as they are written.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, they are there
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, new_column, dimension

SELECT pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', t.oid::regclass, k.made_as, k.definition)
FROM (SELECT pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AS oid) AS t
CROSS JOIN LATERAL vestige_sql.column_checks(t.oid, :'embedding_column', :'new_column', :dimension) AS k
WHERE NOT k.is_made \gexec
