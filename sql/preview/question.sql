-- Show what a question finds in the old space and in the staged new one, side by side, before anything is switched.
--
-- Each space is asked with the question's vector of its own model. Where there is none of the old model (old_vector is empty),
-- a row stands in for the question. It is the nearest row in the new space, with its old vector. Every row is compared, with
-- no index in between, so that what differs is the models' doing.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    old_vector, vector_type, old_dimension, new_vector, dimension, key, embedding_column, schema, table, staging_table, id_schema, vector_schema, operator, key_columns, is_chosen, key_is_k, limit, content

WITH question AS MATERIALIZED (
    SELECT
        CAST(nullif(:'old_vector', '') AS :vector_type(:old_dimension)) AS old_vector,
        CAST(:'new_vector' AS :vector_type(:dimension)) AS new_vector
),
stand_in AS MATERIALIZED (
    SELECT :key AS id, t.:"embedding_column" AS old_vector
    FROM :"schema".:"table" t
    JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) :key
    WHERE t.:"embedding_column" IS NOT NULL
      AND (SELECT q.old_vector IS NULL FROM question q)
    ORDER BY s.embedding OPERATOR(:"vector_schema".:operator) (SELECT q.new_vector FROM question q), :key_columns
    LIMIT 1
),
asked AS MATERIALIZED (
    -- This goes through text, so that a vector that is stored out of line is fetched once, and not for each comparison.
    SELECT coalesce(q.old_vector, CAST(i.old_vector::text AS :vector_type)) AS old_vector, q.new_vector, i.id AS stand_in
    FROM question q
    LEFT JOIN stand_in i ON true
),
old_distances AS NOT MATERIALIZED (
    SELECT
        :key AS id,
        t.:"embedding_column" OPERATOR(:"vector_schema".:operator) (SELECT a.old_vector FROM asked a) AS distance
    FROM :"schema".:"table" t
    WHERE t.:"embedding_column" IS NOT NULL AND :is_chosen AND (SELECT a.old_vector IS NOT NULL FROM asked a)
),
new_distances AS NOT MATERIALIZED (
    SELECT
        k.id,
        k.embedding OPERATOR(:"vector_schema".:operator) (SELECT a.new_vector FROM asked a) AS distance
    FROM vestige_sql.:"staging_table" k
    JOIN :"schema".:"table" t ON :key_is_k
),
-- Adding 0 keeps the index of the old vectors out of it.
old_space AS (
    SELECT n.id, n.distance, row_number() OVER (ORDER BY n.distance, n.id) AS rank
    FROM (SELECT d.* FROM old_distances d ORDER BY d.distance + 0, d.id LIMIT :limit) AS n
),
new_space AS (
    SELECT n.id, n.distance, row_number() OVER (ORDER BY n.distance, n.id) AS rank
    FROM (SELECT d.* FROM new_distances d ORDER BY d.distance, d.id LIMIT :limit) AS n
)
SELECT
    rank,
    o.id::text AS old_key,
    (SELECT :content FROM (SELECT o.id) AS k JOIN :"schema".:"table" t ON :key_is_k) AS old_text,
    o.distance AS old_distance,
    n.id::text AS new_key,
    (SELECT :content FROM (SELECT n.id) AS k JOIN :"schema".:"table" t ON :key_is_k) AS new_text,
    n.distance AS new_distance,
    a.stand_in::text AS stand_in
FROM old_space o
FULL JOIN new_space n USING (rank)
CROSS JOIN asked a
ORDER BY rank;
