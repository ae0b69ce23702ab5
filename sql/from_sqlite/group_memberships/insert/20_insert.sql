-- Insert the staged memberships that are missing from PostgreSQL.
--
-- A row that is there stays as it is.
--
-- Locks:        none on the target, ROW EXCLUSIVE on group_memberships, ROW SHARE on users, ROW SHARE on groups
-- Transaction:  required
-- Run again:    safe, there is nothing new
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema

WITH inserted AS (
    INSERT INTO :"schema".group_memberships (user_id, group_id, role, joined_at)
    SELECT
        vestige_sql.read_uuid(s.user_id), vestige_sql.read_uuid(s.group_id), coalesce(s.role, 'member'),
        coalesce(vestige_sql.read_timestamp(s.joined_at), now())
    FROM pg_temp.copy_group_memberships s
    WHERE s.problem IS NULL
    ORDER BY s.place
    ON CONFLICT (user_id, group_id) DO NOTHING
    RETURNING user_id
)
SELECT count(*) AS new FROM inserted;
