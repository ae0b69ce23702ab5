-- Copy a chunk of vectors into the staging table.
--
-- The runner streams them in PostgreSQL's binary COPY format. The id travels as the bytes that the server sent, so a key of
-- any type goes through unparsed.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    refused, the primary key stops a row that is staged already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    staging_table

COPY vestige_sql.:"staging_table" (id, content_hash, embedding) FROM STDIN (FORMAT binary);
