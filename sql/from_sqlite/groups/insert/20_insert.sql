-- Insert the staged groups that are missing from PostgreSQL.
--
-- A row that is there stays as it is.
--
-- Locks:        none on the target, ROW EXCLUSIVE on groups
-- Transaction:  required
-- Run again:    safe, there is nothing new
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema

WITH inserted AS (
    INSERT INTO :"schema".groups (id, handle, display_name, created_at, metadata)
    SELECT
        vestige_sql.read_uuid(s.id), s.handle, s.display_name, coalesce(vestige_sql.read_timestamp(s.created_at), now()),
        vestige_sql.merged_metadata(s.metadata, s.columns)
    FROM pg_temp.copy_groups s
    WHERE s.problem IS NULL
    ORDER BY s.place
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT count(*) AS new FROM inserted;
