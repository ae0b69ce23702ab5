-- Validate the CHECK constraints of the second column, while readers and writers go on.
--
-- Locks:        SHARE UPDATE EXCLUSIVE on the target
-- Transaction:  required
-- Run again:    safe, they are validated
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, new_column, dimension

SELECT pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I', t.oid::regclass, k.made_as)
FROM (SELECT pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AS oid) AS t
CROSS JOIN LATERAL vestige_sql.column_checks(t.oid, :'embedding_column', :'new_column', :dimension) AS k
JOIN pg_catalog.pg_constraint m ON m.conrelid = t.oid AND m.conname = k.made_as AND NOT m.convalidated
WHERE k.is_valid \gexec
