-- Count the pairs that a map can be fitted on: rows with a live vector and a staged one. Show how many blocks the staging table has.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    staging_table, schema, table, id_column, id_schema, embedding_column

SELECT
    count(*) AS pairs,
    pg_catalog.pg_relation_size(pg_catalog.format('vestige_sql.%I', :'staging_table'::text)::regclass)
        / current_setting('block_size')::integer AS blocks
FROM vestige_sql.:"staging_table" s
JOIN :"schema".:"table" t ON t.:"id_column" OPERATOR(:"id_schema".=) s.id
WHERE t.:"embedding_column" IS NOT NULL;
