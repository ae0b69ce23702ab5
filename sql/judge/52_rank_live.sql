-- Find the nearest rows of each question by the live vectors, exactly.
--
-- Only rows that have a vector in both spaces count. No index is used, so that what differs is the models' doing. Of two rows at
-- the same distance the later key comes first, by its bytes, as in trec_eval. Each question takes one scan of the table.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, what is there stays
-- Undo:         DELETE the rows from vestige_sql.judge_found
-- Variables:    judging, embedding_column, id_sql_type, schema, table, key_is_k, vector_type, old_dimension, key, vector_schema, operator, staging_table, id_schema, depth

INSERT INTO vestige_sql.judge_found (judging, nr, space, key, distance)
SELECT :judging, a.nr, 'old', n.key, n.distance
FROM (
    SELECT q.nr, q.stand_in, CAST(coalesce(q.old_vector, (
        SELECT t.:"embedding_column"::real[] FROM (SELECT CAST(q.stand_in AS :id_sql_type) AS id) AS k
        JOIN :"schema".:"table" t ON :key_is_k
    )) AS :vector_type(:old_dimension)) AS vector
    FROM vestige_sql.judge_question q
    WHERE q.judging = :judging
    OFFSET 0
) AS a
CROSS JOIN LATERAL (
    SELECT
        :key::text AS key,
        t.:"embedding_column" OPERATOR(:"vector_schema".:operator) a.vector AS distance
    FROM :"schema".:"table" t
    WHERE t.:"embedding_column" IS NOT NULL AND a.vector IS NOT NULL
      AND (a.stand_in IS NULL OR :key::text <> a.stand_in)
      AND EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) :key)
    ORDER BY (t.:"embedding_column" OPERATOR(:"vector_schema".:operator) a.vector) + 0, :key::text COLLATE "C" DESC
    LIMIT :depth
) AS n
ON CONFLICT DO NOTHING;
