-- Let names without a schema mean what PostgreSQL brings, whatever the search_path of the role is.
--
-- Functions, operators and tables of the same names in other schemas are then nobody's: a name without a schema is
-- PostgreSQL's own (CVE-2018-1058). The search_path that was is kept in vestige_sql.search_path: by it the target's name is
-- read, and with it triggers of the table's own run, where any fires.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it sets the same values
-- Undo:         ends with the session
-- Variables:    none

SELECT
    pg_catalog.set_config('vestige_sql.search_path', CASE
        WHEN p.path OPERATOR(pg_catalog.=) 'pg_catalog, pg_temp'
            THEN coalesce(pg_catalog.current_setting('vestige_sql.search_path', true), p.path)
        ELSE p.path END, false) AS role_search_path,
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false) AS search_path
FROM (SELECT pg_catalog.current_setting('search_path') AS path OFFSET 0) AS p;
