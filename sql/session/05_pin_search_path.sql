-- Let names without a schema mean PostgreSQL's own objects, whatever the search_path of the role is.
--
-- Functions, operators and tables of the same names in other schemas are then never meant (CVE-2018-1058).
-- vestige_sql.search_path keeps the former search_path. The target's name is read by it, and the table's own triggers run with
-- it, where any fires.
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
