-- Read the rows that searches are tried on: all that have a vector in both spaces, by blocks of the staging table.
--
-- Each piece of blocks is a short query of its own. One that runs for long would stop vacuum for the whole database.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    id_column, vector_schema, embedding_column, staging_table, schema, table, id_schema, first_block, last_block

SELECT
    t.:"id_column"::text AS key,
    :"vector_schema".vector_send(CAST(t.:"embedding_column" AS :"vector_schema".vector)) AS old_vector,
    :"vector_schema".vector_send(CAST(s.embedding AS :"vector_schema".vector)) AS new_vector
FROM vestige_sql.:"staging_table" s
JOIN :"schema".:"table" t ON t.:"id_column" OPERATOR(:"id_schema".=) s.id
WHERE s.ctid >= pg_catalog.format('(%s,0)', :first_block)::tid AND s.ctid < pg_catalog.format('(%s,0)', :last_block)::tid
  AND t.:"embedding_column" IS NOT NULL;
