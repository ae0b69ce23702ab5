-- Stage the first numbers of the live vectors, at length one: those of the same model with fewer dimensions.
--
-- No text is encoded. What has text and no vector is left to the encoder, and so is a vector whose first numbers are all zero.
-- A vector is taken to be that of its row's text. All rows are read at one instant: a text that changes later has another
-- hash than the staged one, so its vector is encoded.
--
-- subvector() and l2_normalize() came with pgvector 0.7. Before that, every text is encoded.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, what is staged stays
-- Undo:         stage/drop.sql
-- Variables:    staging_table, key, content, vector_schema, schema, table, embedding_column, dimension, is_chosen, id_schema

INSERT INTO vestige_sql.:"staging_table" (id, content_hash, embedding)
SELECT :key, vestige_sql.content_hash(:content), :"vector_schema".l2_normalize(f.first)
FROM :"schema".:"table" t
CROSS JOIN LATERAL (
    SELECT :"vector_schema".subvector(t.:"embedding_column", 1, :dimension)
    -- done once per row
    OFFSET 0
) AS f (first)
WHERE :is_chosen
  AND vestige_sql.has_text(:content)
  AND :"vector_schema".vector_norm(f.first) > 0
  AND NOT EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) :key);
