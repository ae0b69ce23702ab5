-- Copy a batch of rows into its staging table.
--
-- The runner streams them in PostgreSQL's binary COPY format.
--
-- place numbers the rows of the batch. key is the row's id for people. problem is what the runner found that no text or
-- vector of PostgreSQL could hold: a NUL character, or bytes that are not UTF-8.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    refused, the rows are staged: by the primary key
-- Undo:         nothing to undo
-- Variables:    staging_table

COPY pg_temp.:"staging_table" FROM STDIN (FORMAT binary);
