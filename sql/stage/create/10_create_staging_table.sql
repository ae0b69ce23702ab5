-- Make the table that new vectors are collected in, beside the live data.
--
-- It is logged: an unlogged table is empty after a server crash, and with it hours of encoding. The column's typmod
-- makes the server check every vector's dimension as it comes in.
--
-- A row that fits into half a page, as a vector of up to about 990 dimensions does, or twice that as halfvec, stays in the table
-- itself: that takes less disk and WAL than pieces out of line, and gate and apply find the vector with its key. A longer one
-- goes out of line, for in the table it would have a page to itself: with 1,024 dimensions 8,200 bytes a row in place of 5,700.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it stays as it is if it is there
-- Undo:         stage/drop.sql
-- Variables:    staging_table, id_type, vector_type, dimension

CREATE TABLE IF NOT EXISTS vestige_sql.:"staging_table" (
    id           :id_type PRIMARY KEY,
    content_hash bytea NOT NULL,
    embedding    :vector_type(:dimension) NOT NULL
) WITH (toast_tuple_target = 4080);
