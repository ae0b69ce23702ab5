-- Return the rows nearest to a question of the model that is being staged: found by the live index, rescored by staged vectors.
--
-- vector is the question's, of the model of the open run. A map of the bridge brings it into the live space, whose index finds the
-- candidates. Distances of two spaces cannot be compared. So a candidate without a staged vector keeps its place, and those that have one
-- share the places that they had, in the order of their distances in the new space. Once every row is staged that is the order of the
-- new model.
--
-- An HNSW index finds at most hnsw.ef_search candidates. With an index on an expression, such as a cast to halfvec, the table is scanned.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    vector, vector_type, dimension, oid, vector_schema, embedding_column, schema, table, id_column, operator, candidates, staging_table, id_schema, content, limit

WITH question AS MATERIALIZED (
    SELECT
        CAST(:'vector' AS :vector_type(:dimension)) AS new_vector,
        CAST(vestige_sql.bridged(:oid::oid::regclass, CAST(:'vector' AS :"vector_schema".vector), r.to_hash, :'embedding_column')
            AS :vector_type) AS live_vector
    FROM vestige_sql.run r
    WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
      AND r.state IN ('staging', 'filling')
),
candidates AS MATERIALIZED (
    SELECT
        t.:"id_column" AS id,
        t.:"embedding_column" OPERATOR(:"vector_schema".:operator) (SELECT q.live_vector FROM question q) AS live_distance
    FROM :"schema".:"table" t
    WHERE t.:"embedding_column" IS NOT NULL
    ORDER BY t.:"embedding_column" OPERATOR(:"vector_schema".:operator) (SELECT q.live_vector FROM question q)
    LIMIT :candidates
),
scored AS MATERIALIZED (
    SELECT
        c.id, c.live_distance,
        s.embedding OPERATOR(:"vector_schema".:operator) (SELECT q.new_vector FROM question q) AS new_distance,
        row_number() OVER (ORDER BY c.live_distance, c.id) AS live_rank
    FROM candidates c
    LEFT JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) c.id
),
places AS (
    SELECT
        s.new_distance IS NOT NULL AS is_staged, s.live_rank AS place,
        row_number() OVER (PARTITION BY s.new_distance IS NOT NULL ORDER BY s.live_rank) AS nr
    FROM scored s
),
ordered AS (
    SELECT
        s.*, s.new_distance IS NOT NULL AS is_staged,
        row_number() OVER (PARTITION BY s.new_distance IS NOT NULL ORDER BY s.new_distance, s.live_rank) AS nr
    FROM scored s
)
SELECT p.place AS rank, o.id::text AS key, :content AS content, o.live_rank, o.live_distance, o.new_distance
FROM ordered o
JOIN places p ON p.is_staged = o.is_staged AND p.nr = o.nr
JOIN :"schema".:"table" t ON t.:"id_column" OPERATOR(:"id_schema".=) o.id
WHERE p.place <= :limit
ORDER BY p.place;
