-- Give the new indexes the names of the former ones, and give the former ones other names.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, the names are swapped
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, new_column, embedding_column

-- squawk-ignore-file renaming-object -- names that change places
SELECT *
FROM vestige_sql.swap_indexes(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'new_column', :'embedding_column') \gexec
