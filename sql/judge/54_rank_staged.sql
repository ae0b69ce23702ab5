-- Find the nearest rows of each question by the staged vectors, exactly.
--
-- Only rows that have a vector in both spaces count. Of two rows at the same distance the later key comes first, by its bytes, as in
-- trec_eval. Each question takes one scan of the staging table.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, what is there stays
-- Undo:         DELETE the rows from vestige_sql.judge_found
-- Variables:    judging, staging_table, id_schema, id_sql_type, vector_type, dimension, vector_schema, operator, schema, table, key_is_k, embedding_column, depth

INSERT INTO vestige_sql.judge_found (judging, nr, space, key, distance)
SELECT :judging, a.nr, 'new', n.key, n.distance
FROM (
    SELECT q.nr, q.stand_in, CAST(coalesce(q.new_vector, (
        SELECT s.embedding::real[] FROM vestige_sql.:"staging_table" s
        WHERE s.id OPERATOR(:"id_schema".=) CAST(q.stand_in AS :id_sql_type)
    )) AS :vector_type(:dimension)) AS vector
    FROM vestige_sql.judge_question q
    WHERE q.judging = :judging
    OFFSET 0
) AS a
CROSS JOIN LATERAL (
    SELECT k.id::text AS key, k.embedding OPERATOR(:"vector_schema".:operator) a.vector AS distance
    FROM vestige_sql.:"staging_table" k
    WHERE a.vector IS NOT NULL AND (a.stand_in IS NULL OR k.id::text <> a.stand_in)
      AND EXISTS (SELECT FROM :"schema".:"table" t WHERE :key_is_k AND t.:"embedding_column" IS NOT NULL)
    ORDER BY distance, k.id::text COLLATE "C" DESC
    LIMIT :depth
) AS n
ON CONFLICT DO NOTHING;
