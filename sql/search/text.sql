-- Return the memories that match a text, best first, by PostgreSQL's full-text search.
--
-- The text is read as people write to search engines: all of the words, "words in a row", or, -without. score is ts_rank_cd,
-- which counts a word in the content more than one in the type or the tags. Filters are literals, or NULL for none: any of
-- the domains, of the node types, of the tags, and a least retrievability. A memory without a schedule has no
-- retrievability. Equal scores come in the order of their ids.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on scheduling
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, domains, node_types, tags, min_retrievability, text, limit

WITH allowed AS NOT MATERIALIZED (
    SELECT n.id, n.search_vec
    FROM :"schema".knowledge_nodes n
    WHERE (:domains::text[] IS NULL OR n.domains && :domains::text[])
      AND (:node_types::text[] IS NULL OR n.node_type = ANY (:node_types::text[]))
      AND (:tags::text[] IS NULL OR n.tags && :tags::text[])
      AND (:min_retrievability::double precision IS NULL OR (
          SELECT s.retrievability FROM :"schema".scheduling s WHERE s.memory_id = n.id) >= :min_retrievability)
),
matching AS (
    SELECT t.id, t.text_score, row_number() OVER (ORDER BY t.text_score DESC, t.id) AS text_rank
    FROM (
        SELECT a.id, pg_catalog.ts_rank_cd(a.search_vec, q.query)::double precision AS text_score
        FROM allowed a
        CROSS JOIN pg_catalog.websearch_to_tsquery('pg_catalog.english', :'text') AS q (query)
        WHERE a.search_vec @@ q.query
        ORDER BY text_score DESC, a.id
        LIMIT :limit
    ) AS t
)
SELECT
    n.id, n.content, n.node_type, n.tags, n.domains, n.created_at,
    m.text_score AS score, m.text_rank, m.text_score,
    NULL::bigint AS vector_rank, NULL::double precision AS distance
FROM matching m
JOIN :"schema".knowledge_nodes n ON n.id = m.id
ORDER BY m.text_rank;
