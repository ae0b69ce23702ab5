-- Return the statements that store a column of each partition as another column of it is stored, or as it is now.
--
-- ALTER TABLE on the partitioned table gives all partitions the storage that it names. They have had storages of their own.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.partition_storage(p_table regclass, p_from name, p_to name)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I SET STORAGE %s, ALTER COLUMN %I SET COMPRESSION %s', p.relation,
            p_to, CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END,
            p_to, CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE 'default' END)
        FROM vestige_sql.with_partitions(p_table) p
        JOIN pg_attribute a ON a.attrelid = p.relation AND a.attname = p_from AND NOT a.attisdropped
        WHERE p.level > 0
        ORDER BY p.level, p.relation;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.partition_storage FROM PUBLIC;
