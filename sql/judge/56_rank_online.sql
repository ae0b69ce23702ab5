-- Find the nearest rows of each question by the second column of an online run, through its index.
--
-- The session's ef_search or probes apply, as for those who search after the switch. An HNSW index gives no more rows than
-- hnsw.ef_search.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, what is there stays
-- Undo:         DELETE the rows from vestige_sql.judge_found
-- Variables:    judging, new_column, id_sql_type, schema, table, key_is_k, new_index, id_columns, depth

INSERT INTO vestige_sql.judge_found (judging, nr, space, key, distance)
SELECT :judging, q.nr, 'new', n.key, n.distance
FROM vestige_sql.judge_question q
CROSS JOIN LATERAL (
    SELECT coalesce(q.new_vector, (
        SELECT t.:"new_column"::real[] FROM (SELECT CAST(q.stand_in AS :id_sql_type) AS id) AS k
        JOIN :"schema".:"table" t ON :key_is_k)) AS vector
) AS a
CROSS JOIN LATERAL vestige_sql.index_answers(:new_index::oid::regclass, :'id_columns'::text[], a.vector, :depth, q.stand_in) AS n
WHERE q.judging = :judging
ON CONFLICT DO NOTHING;
