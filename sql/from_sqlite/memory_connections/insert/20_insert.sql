-- Insert the staged connections that are missing from PostgreSQL, as edges.
--
-- A row that is there stays as it is.
--
-- Locks:        ROW SHARE on the target, ROW EXCLUSIVE on edges
-- Transaction:  required
-- Run again:    safe, there is nothing new
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema

WITH inserted AS (
    INSERT INTO :"schema".edges (source_id, target_id, edge_type, weight, created_at)
    SELECT
        vestige_sql.read_uuid(s.source_id), vestige_sql.read_uuid(s.target_id), coalesce(s.link_type, 'related'),
        coalesce(vestige_sql.read_number(s.strength), 1.0), coalesce(vestige_sql.read_timestamp(s.created_at), now())
    FROM pg_temp.copy_memory_connections s
    WHERE s.problem IS NULL
    ORDER BY s.place
    ON CONFLICT (source_id, target_id, edge_type) DO NOTHING
    RETURNING source_id
)
SELECT count(*) AS new FROM inserted;
