-- Insert the staged domains that are missing from PostgreSQL.
--
-- A row that is there stays as it is.
--
-- Locks:        none on the target, ROW EXCLUSIVE on domains
-- Transaction:  required
-- Run again:    safe, there is nothing new
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema

WITH inserted AS (
    INSERT INTO :"schema".domains (id, label, centroid, top_terms, memory_count, created_at, metadata)
    SELECT
        s.id, s.label, s.centroid, coalesce(vestige_sql.read_texts(s.top_terms), '{}'),
        coalesce(vestige_sql.read_integer(s.memory_count), 0), coalesce(vestige_sql.read_timestamp(s.created_at), now()),
        vestige_sql.merged_metadata(s.metadata, s.columns)
    FROM pg_temp.copy_domains s
    WHERE s.problem IS NULL
    ORDER BY s.place
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT count(*) AS new FROM inserted;
