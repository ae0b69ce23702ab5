-- Let names without a schema mean PostgreSQL's own objects, to the end of the caller's transaction.
--
-- This is session/05_pin_search_path.sql for a connection that goes on with its own search_path afterwards.
-- session/restore_search_path.sql ends it before the transaction does.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same values
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT
    pg_catalog.set_config('vestige_sql.search_path', CASE
        WHEN p.path OPERATOR(pg_catalog.=) 'pg_catalog, pg_temp'
            THEN coalesce(pg_catalog.current_setting('vestige_sql.search_path', true), p.path)
        ELSE p.path END, true) AS role_search_path,
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true) AS search_path
FROM (SELECT pg_catalog.current_setting('search_path') AS path OFFSET 0) AS p;
