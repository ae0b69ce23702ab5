-- Make the table that new vectors are collected in, beside the live data.
--
-- It is logged: an unlogged table is empty after a server crash, and with it hours of encoding. The column's typmod
-- makes the server check every vector's dimension as it comes in.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it stays as it is if it is there
-- Undo:         abort/
-- Variables:    staging_table, id_type, vector_type, dimension

CREATE TABLE IF NOT EXISTS vestige_sql.:"staging_table" (
    id           :id_type PRIMARY KEY,
    content_hash bytea NOT NULL,
    embedding    :vector_type(:dimension) NOT NULL
);
