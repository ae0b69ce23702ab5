-- Measure how much the two models' nearest neighbours overlap, with rows as the questions.
--
-- No model is asked.
--
-- The hash of the key picks a sample of rows, always the same ones. For each of these, the nearest rows by the old vectors are
-- compared with the nearest by the staged ones. Only rows that have both vectors count. overlap is the share that is in both,
-- and mean_overlap its mean over the sample. The rows that moved most come first. Each row of the sample is compared with
-- every row, with no index in between. That takes as long as two scans for each row of the sample.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    key, content, embedding_column, schema, table, staging_table, id_schema, key_columns, sample, vector_type, vector_schema, operator, limit, key_is_k

WITH picked AS MATERIALIZED (
    SELECT
        :key AS id, :content AS text,
        t.:"embedding_column" AS old_vector, s.embedding AS new_vector
    FROM :"schema".:"table" t
    JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) :key
    WHERE t.:"embedding_column" IS NOT NULL
      AND vestige_sql.content_hash(:content) = s.content_hash
    ORDER BY pg_catalog.sha256(pg_catalog.convert_to(:key::text, 'UTF8')), :key_columns
    LIMIT :sample
),
-- This goes through text, so that a vector that is stored out of line is fetched here once, and not for each comparison.
sample AS MATERIALIZED (
    SELECT
        p.id, p.text,
        CAST(p.old_vector::text AS :vector_type) AS old_vector,
        CAST(p.new_vector::text AS :vector_type) AS new_vector
    FROM picked p
),
neighbours AS (
    SELECT p.id::text AS key, p.text, o.keys AS old_nearest, n.keys AS new_nearest
    FROM sample p
    CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(x.id::text ORDER BY x.distance, x.id)
        FROM (
            SELECT
                :key AS id,
                t.:"embedding_column" OPERATOR(:"vector_schema".:operator) p.old_vector AS distance
            FROM :"schema".:"table" t
            WHERE t.:"embedding_column" IS NOT NULL AND NOT :key OPERATOR(:"id_schema".=) p.id
              AND EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) :key)
            ORDER BY (t.:"embedding_column" OPERATOR(:"vector_schema".:operator) p.old_vector) + 0, :key_columns
            LIMIT :limit
        ) AS x
    ) AS o (keys)
    CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(x.id::text ORDER BY x.distance, x.id)
        FROM (
            SELECT k.id, k.embedding OPERATOR(:"vector_schema".:operator) p.new_vector AS distance
            FROM vestige_sql.:"staging_table" k
            WHERE NOT k.id OPERATOR(:"id_schema".=) p.id
              AND EXISTS (SELECT FROM :"schema".:"table" t WHERE :key_is_k AND t.:"embedding_column" IS NOT NULL)
            ORDER BY distance, k.id
            LIMIT :limit
        ) AS x
    ) AS n (keys)
)
SELECT
    c.key, c.text, c.old_nearest, c.new_nearest,
    c.overlap,
    avg(c.overlap) OVER () AS mean_overlap
FROM (
    SELECT
        b.*,
        (SELECT count(*) FROM pg_catalog.unnest(b.old_nearest) AS u (key) WHERE u.key = ANY (b.new_nearest))::double precision
            / pg_catalog.cardinality(b.old_nearest) AS overlap
    FROM neighbours b
) AS c
ORDER BY c.overlap, c.key;
