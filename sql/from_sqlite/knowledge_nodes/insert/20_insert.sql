-- Insert the staged memories that are missing from PostgreSQL.
--
-- A row that is there stays as it is, and so does its vector.
--
-- codebase comes from the metadata where only the metadata has it. No timestamp is touched, since the trigger that sets
-- updated_at is for updates alone.
--
-- Locks:        ROW EXCLUSIVE on the target, ROW SHARE on users
-- Transaction:  required
-- Fires:        INSERT triggers
-- Run again:    safe, there is nothing new
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema

WITH inserted AS (
    INSERT INTO :"schema".knowledge_nodes (
        id, content, node_type, tags, metadata, domains, domain_scores, embedding, codebase, owner_user_id, visibility,
        shared_with_groups, created_at, updated_at
    )
    SELECT
        vestige_sql.read_uuid(s.id),
        s.content,
        coalesce(s.node_type, 'general'),
        coalesce(vestige_sql.read_texts(s.tags), '{}'),
        vestige_sql.merged_metadata(s.metadata, s.columns),
        coalesce(vestige_sql.read_texts(s.domains), '{}'),
        coalesce(vestige_sql.read_object(s.domain_scores), '{}'),
        s.embedding,
        coalesce(
            nullif(s.codebase, ''),
            (SELECT m.j ->> 'codebase'
             FROM vestige_sql.read_object(s.metadata) AS m (j)
             WHERE pg_catalog.jsonb_typeof(m.j -> 'codebase') = 'string'),
            s.codebase),
        coalesce(vestige_sql.read_uuid(s.owner_user_id), '00000000-0000-0000-0000-000000000001'),
        coalesce(s.visibility, 'private'),
        coalesce(vestige_sql.read_uuids(s.shared_with_groups), '{}'),
        vestige_sql.read_timestamp(s.created_at),
        vestige_sql.read_timestamp(coalesce(nullif(s.updated_at, ''), s.created_at))
    FROM pg_temp.copy_knowledge_nodes s
    WHERE s.problem IS NULL
    ORDER BY s.place
    ON CONFLICT (id) DO NOTHING
    RETURNING embedding IS NOT NULL AS embedded
)
SELECT count(*) AS new, count(*) FILTER (WHERE i.embedded) AS new_embeddings FROM inserted i;
