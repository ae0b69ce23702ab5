-- Return the memories nearest to a vector by cosine distance, nearest first, through the HNSW index.
--
-- The vector is of the model that is named. If another model is registered at the moment of the search, the search is
-- refused, for the order would mean nothing. search_type is the type that the index has: see table.sql. If the filters leave
-- too few of the rows that the index brings, all rows are compared. score is the cosine similarity, and filters are as in
-- text.sql. Equal distances come in the order of their ids. Of more than three times the limit of them, any may come.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on embedding_model, ACCESS SHARE on scheduling
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    vector, search_type, dimension, schema, model_name, model_hash, vector_schema, domains, node_types, tags, min_retrievability, limit

WITH question AS MATERIALIZED (
    SELECT CAST(nullif(:'vector', '') AS :search_type(:dimension)) AS vector
),
-- This reads in the snapshot of the search, so that no change of the model can come between the two. It reads through
-- JSON because databases made by Vestige's own migrations call the columns name and hash.
registered AS (
    SELECT
        coalesce(r.j ->> 'model_name', r.j ->> 'name') AS name,
        r.j ->> 'dimension' AS dimension,
        coalesce(r.j ->> 'model_hash', r.j ->> 'hash') AS hash
    FROM (SELECT) AS one
    LEFT JOIN (SELECT pg_catalog.to_jsonb(m) FROM :"schema".embedding_model m WHERE m.id = 1) AS r (j) ON true
),
checked AS MATERIALIZED (
    SELECT vestige_sql.require(
        (r.name, r.dimension, r.hash) IS NOT DISTINCT FROM (:'model_name'::text, :'dimension'::text, :'model_hash'::text),
        pg_catalog.format(
            'the question is encoded with %s (%s dimensions, hash %s), and the registered model of %I.knowledge_nodes is %s',
            :'model_name'::text, :'dimension'::text, pg_catalog.left(:'model_hash'::text, 12), :'schema'::text,
            CASE WHEN r.hash IS NULL THEN 'none' ELSE
                pg_catalog.format('%s (%s dimensions, hash %s)', r.name, r.dimension, pg_catalog.left(r.hash, 12)) END),
        'encode it with the registered model; nothing was searched for'
    ) IS NOT NULL AS holds
    FROM registered r
    CROSS JOIN question q
    WHERE q.vector IS NOT NULL
),
-- The planner treats this as if its text stood where it is used.
allowed AS NOT MATERIALIZED (
    SELECT
        n.id, n.embedding,
        CAST(n.embedding AS :search_type(:dimension))
            OPERATOR(:"vector_schema".<=>) (SELECT q.vector FROM question q) AS distance
    FROM :"schema".knowledge_nodes n
    WHERE (:domains::text[] IS NULL OR n.domains && :domains::text[])
      AND (:node_types::text[] IS NULL OR n.node_type = ANY (:node_types::text[]))
      AND (:tags::text[] IS NULL OR n.tags && :tags::text[])
      AND (:min_retrievability::double precision IS NULL OR (
          SELECT s.retrievability FROM :"schema".scheduling s WHERE s.memory_id = n.id) >= :min_retrievability)
),
by_index AS MATERIALIZED (
    SELECT a.id, a.distance
    FROM allowed a
    WHERE (SELECT c.holds FROM checked c) AND a.embedding IS NOT NULL
    ORDER BY a.distance
    LIMIT 3 * :limit
),
-- This runs only where the index brought too few rows. Adding 0 keeps the index out of it.
by_scan AS (
    SELECT a.id, a.distance
    FROM allowed a
    WHERE (SELECT c.holds FROM checked c) AND (SELECT count(*) < 3 * :limit FROM by_index) AND a.embedding IS NOT NULL
    ORDER BY a.distance + 0, a.id
    LIMIT 3 * :limit
),
nearest AS (
    SELECT v.id, v.distance, row_number() OVER (ORDER BY v.distance, v.id) AS vector_rank
    FROM (
        SELECT i.* FROM by_index i WHERE (SELECT count(*) = 3 * :limit FROM by_index)
        UNION ALL
        SELECT s.* FROM by_scan s
    ) AS v
)
SELECT
    n.id, n.content, n.node_type, n.tags, n.domains, n.created_at,
    1 - v.distance AS score, NULL::bigint AS text_rank, NULL::double precision AS text_score,
    v.vector_rank, v.distance
FROM nearest v
JOIN :"schema".knowledge_nodes n ON n.id = v.id
WHERE v.vector_rank <= :limit
ORDER BY v.vector_rank;
