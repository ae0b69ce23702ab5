-- Count the connections that the server still lets this role have to this database.
--
-- Connections kept for superusers do not count.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT
    current_setting('max_connections')::integer AS max_connections,
    least(
        current_setting('max_connections')::integer
            - current_setting('superuser_reserved_connections')::integer
            -- This setting exists since PostgreSQL 16.
            - coalesce(current_setting('reserved_connections', true)::integer, 0)
            - (SELECT coalesce(sum(d.numbackends), 0) FROM pg_catalog.pg_stat_database d),
        (SELECT nullif(d.datconnlimit, -1) - s.numbackends
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
         WHERE d.datname = current_database()),
        (SELECT nullif(r.rolconnlimit, -1)
            - (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid)
         FROM pg_catalog.pg_roles r
         WHERE r.rolname = session_user)
    )::integer AS free;
