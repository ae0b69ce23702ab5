-- Find what is wrong with each staged memory, taken by itself.
--
-- Rows with a problem stay behind and are reported.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it finds the same
-- Undo:         nothing to undo
-- Variables:    none

UPDATE pg_temp.copy_knowledge_nodes s
SET problem = f.problem
FROM (
    SELECT r.place, coalesce(r.problem, concat_ws('; ',
        CASE WHEN vestige_sql.read_uuid(r.id) IS NULL THEN vestige_sql.complaint('id', 'UUID', r.id) END,
        CASE WHEN r.content IS NULL THEN 'content is NULL' END,
        CASE
            WHEN r.tags IS NOT NULL AND vestige_sql.read_texts(r.tags) IS NULL
            THEN vestige_sql.complaint('tags', 'JSON array of strings', r.tags) END,
        CASE
            WHEN r.metadata IS NOT NULL AND vestige_sql.read_json(r.metadata) IS NULL
            THEN vestige_sql.complaint('metadata', 'JSON', r.metadata) END,
        CASE
            WHEN r.domains IS NOT NULL AND vestige_sql.read_texts(r.domains) IS NULL
            THEN vestige_sql.complaint('domains', 'JSON array of strings', r.domains) END,
        CASE
            WHEN r.domain_scores IS NOT NULL AND vestige_sql.read_object(r.domain_scores) IS NULL
            THEN vestige_sql.complaint('domain_scores', 'JSON object', r.domain_scores) END,
        CASE
            WHEN r.owner_user_id IS NOT NULL AND vestige_sql.read_uuid(r.owner_user_id) IS NULL
            THEN vestige_sql.complaint('owner_user_id', 'UUID', r.owner_user_id) END,
        CASE
            WHEN r.visibility NOT IN ('private', 'group', 'public')
            THEN vestige_sql.complaint('visibility', 'private, group or public', r.visibility) END,
        CASE
            WHEN r.shared_with_groups IS NOT NULL AND vestige_sql.read_uuids(r.shared_with_groups) IS NULL
            THEN vestige_sql.complaint('shared_with_groups', 'JSON array of UUIDs', r.shared_with_groups) END,
        CASE
            WHEN vestige_sql.read_timestamp(r.created_at) IS NULL
            THEN vestige_sql.complaint('created_at', 'timestamp', r.created_at) END,
        CASE
            WHEN r.updated_at <> '' AND vestige_sql.read_timestamp(r.updated_at) IS NULL
            THEN vestige_sql.complaint('updated_at', 'timestamp', r.updated_at) END,
        CASE
            WHEN r.last_accessed <> '' AND vestige_sql.read_timestamp(r.last_accessed) IS NULL
            THEN vestige_sql.complaint('last_accessed', 'timestamp', r.last_accessed) END,
        CASE
            WHEN r.next_review <> '' AND vestige_sql.read_timestamp(r.next_review) IS NULL
            THEN vestige_sql.complaint('next_review', 'timestamp', r.next_review) END,
        CASE
            WHEN r.stability IS NOT NULL AND vestige_sql.read_number(r.stability) IS NULL
            THEN vestige_sql.complaint('stability', 'number', r.stability) END,
        CASE
            WHEN r.difficulty IS NOT NULL AND vestige_sql.read_number(r.difficulty) IS NULL
            THEN vestige_sql.complaint('difficulty', 'number', r.difficulty) END,
        CASE
            WHEN r.retrieval_strength IS NOT NULL AND vestige_sql.read_number(r.retrieval_strength) IS NULL
            THEN vestige_sql.complaint('retrieval_strength', 'number', r.retrieval_strength) END,
        CASE
            WHEN r.reps IS NOT NULL AND vestige_sql.read_integer(r.reps) IS NULL
            THEN vestige_sql.complaint('reps', 'whole number', r.reps) END,
        CASE
            WHEN r.lapses IS NOT NULL AND vestige_sql.read_integer(r.lapses) IS NULL
            THEN vestige_sql.complaint('lapses', 'whole number', r.lapses) END)) AS problem
    FROM pg_temp.copy_knowledge_nodes r
) AS f
WHERE f.place = s.place AND f.problem <> ''
RETURNING s.key, s.problem;
