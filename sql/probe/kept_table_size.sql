-- Count the vectors that are kept in the package's own table, and the bytes of that table.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    kept_table

SELECT
    (SELECT count(*) FROM vestige_sql.:"kept_table") AS vectors,
    pg_catalog.pg_total_relation_size(pg_catalog.format('vestige_sql.%I', :'kept_table'::text)::regclass) AS vector_bytes,
    0::bigint AS index_bytes;
