-- Give the new column what the old one has: default, NOT NULL, storage, statistics target, options, comment and grants.
--
-- The old column is left without them, except for the grants.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, the transaction leaves nothing behind
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, new_column

-- squawk-ignore-file ban-drop-default -- the other column has it from here on
SELECT s.statement
FROM vestige_sql.with_partitions(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass) p
CROSS JOIN LATERAL vestige_sql.column_properties(p.relation, :'embedding_column', :'new_column') WITH ORDINALITY AS s (statement, nr)
ORDER BY p.level, p.relation, s.nr \gexec
