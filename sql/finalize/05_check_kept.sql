-- Check that the former vectors that are kept under this name are this table's, and not those of a table that is called otherwise now.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, oid

SELECT vestige_sql.require(
    count(c.oid) = 0,
    pg_catalog.format('the former vectors kept under the name %I.%I.%I are those of the table that is called %s by now; nothing was dropped',
        :'schema'::text, :'table'::text, :'embedding_column'::text, min(CASE WHEN c.oid IS NOT NULL THEN pg_catalog.format('%I.%I', n.nspname, c.relname) END)),
    'vestige-sql migrate finalize says which table to name')
FROM vestige_sql.kept k
JOIN vestige_sql.home h ON h.id = k.home AND h.place = h.tableoid AND h.written_by = h.xmin
LEFT JOIN pg_catalog.pg_class c ON c.oid = k.table_oid AND c.oid <> :oid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column';
