-- Count the vectors that are kept in the second column, and the bytes of them and of their indexes.
--
-- It reads the whole table.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    kept_column, schema, table

SELECT
    (SELECT count(t.:"kept_column") FROM :"schema".:"table" t) AS vectors,
    (SELECT coalesce(sum(pg_catalog.pg_column_size(t.:"kept_column")), 0)::bigint FROM :"schema".:"table" t) AS vector_bytes,
    (SELECT coalesce(sum(pg_catalog.pg_relation_size(x.objid)), 0)::bigint
     FROM (
         SELECT DISTINCT d.objid
         FROM pg_catalog.pg_depend d
         JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         JOIN pg_catalog.pg_index i ON i.indexrelid = d.objid
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
           AND d.refobjid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attname = :'kept_column'
     ) AS x) AS index_bytes;
