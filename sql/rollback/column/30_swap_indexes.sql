-- Give the kept indexes the names of the live ones, and give the live ones other names.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, the names are swapped
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, kept_column, embedding_column

-- squawk-ignore-file renaming-object -- names that change places
SELECT *
FROM vestige_sql.swap_indexes(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'kept_column', :'embedding_column') \gexec
