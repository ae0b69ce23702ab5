-- Measure what the copy, what is staged for it and what is kept of it take on disk.
--
-- The file that the copy lies in is shown too.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    staging_table, kept_table, copy_table

SELECT
    c.oid::bigint AS oid,
    pg_catalog.pg_relation_filenode(c.oid) AS file,
    pg_catalog.pg_total_relation_size(c.oid) AS copy_bytes,
    coalesce(pg_catalog.pg_total_relation_size(
        pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'staging_table'::text))), 0) AS staging_bytes,
    coalesce(pg_catalog.pg_total_relation_size(
        pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'kept_table'::text))), 0) AS kept_bytes
FROM pg_catalog.pg_class c
WHERE c.oid = pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'copy_table'::text));
