-- Create the staging table, which collects the new vectors beside the live data.
--
-- It is logged, because a server crash empties an unlogged table, and hours of encoding would be lost. The column's typmod
-- makes the server check every vector's dimension as it comes in.
--
-- A row that fits into half a page stays in the table itself. A vector of up to about 990 dimensions fits, and a halfvec of
-- twice that. This takes less disk and WAL than pieces out of line, and gate/ and apply/ find the vector with its key. A
-- longer row goes out of line, because in the table it would have a page to itself. With 1,024 dimensions that would be
-- 8,200 bytes a row instead of 5,700.
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
