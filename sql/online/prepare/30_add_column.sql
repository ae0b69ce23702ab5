-- Add the column for the new vectors, stored as the old one.
--
-- It is NULL in every row, so no row is written. Where the old column is NOT NULL, or a CHECK says so, the new one is NOT NULL from its first moment: a
-- default gives every row a placeholder. PostgreSQL keeps the placeholder in its catalog, so no row is written or read then either.
-- It is a vector of length one. Every row has its vector when the switch comes, and the default goes then.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    refused, the column is there
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, new_column, vector_type, dimension, embedding_column, storage, compression

SELECT pg_catalog.format(
    'ALTER TABLE %1$I.%2$I ADD COLUMN %3$I %4$s(%5$s)%6$s, ALTER COLUMN %3$I SET STORAGE %7$s, ALTER COLUMN %3$I SET COMPRESSION %8$s',
    :'schema'::text, :'table'::text, :'new_column'::text, :'vector_type'::text, :dimension,
    CASE WHEN e.attnotnull AND n.convalidated IS NOT FALSE OR EXISTS (
        SELECT FROM vestige_sql.column_checks(t.oid, :'embedding_column', :'new_column', :dimension) AS k WHERE k.denies_null) THEN
        -- since PostgreSQL 18 the constraint may be NO INHERIT
        pg_catalog.format(' DEFAULT %L NOT NULL%s', vestige_sql.placeholder(:dimension),
            CASE WHEN n.connoinherit THEN ' NO INHERIT' END)
    END,
    :'storage'::text, :'compression'::text)
FROM (SELECT pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AS oid) AS t
JOIN pg_catalog.pg_attribute e ON e.attrelid = t.oid AND e.attname = :'embedding_column' AND NOT e.attisdropped
-- PostgreSQL keeps NOT NULL as a constraint since 18. One that is NOT VALID promises nothing of the rows from before.
LEFT JOIN pg_catalog.pg_constraint n ON n.conrelid = t.oid AND n.contype = 'n' AND n.conkey = ARRAY[e.attnum] \gexec
