-- Let the partitions store the column as before.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT s.statement
FROM pg_catalog.json_array_elements_text(
    nullif(pg_catalog.current_setting('vestige_sql.storage', true), '')::json) AS s (statement) \gexec
