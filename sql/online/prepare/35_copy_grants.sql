-- Give the second column the grants of the live one.
--
-- A role with rights on single columns needs them for SELECT *.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, they are given
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, new_column

SELECT *
FROM vestige_sql.column_grants(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :'new_column') \gexec
