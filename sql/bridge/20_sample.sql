-- Draw pairs at random: the live vector of a row, and the staged one of the text that the row has now.
--
-- The hash of seed and key picks the rows and their order. So the same seed gives the same pairs. The vectors come as pgvector sends
-- them in binary. The rows are picked before their vectors are read.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    vector_schema, embedding_column, id_column, seed, schema, table, staging_table, id_schema, content, pairs

SELECT
    p.key,
    :"vector_schema".vector_send(CAST(t.:"embedding_column" AS :"vector_schema".vector)) AS old_vector,
    :"vector_schema".vector_send(CAST(s.embedding AS :"vector_schema".vector)) AS new_vector
FROM (
    SELECT t.:"id_column" AS id, t.:"id_column"::text AS key, hashtextextended(t.:"id_column"::text, :seed) AS place
    FROM :"schema".:"table" t
    JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) t.:"id_column"
    WHERE t.:"embedding_column" IS NOT NULL
      AND vestige_sql.content_hash(:content) = s.content_hash
    ORDER BY place, t.:"id_column"::text COLLATE "C"
    LIMIT :pairs
) AS p
JOIN :"schema".:"table" t ON t.:"id_column" OPERATOR(:"id_schema".=) p.id
JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) p.id
ORDER BY p.place, p.key COLLATE "C";
