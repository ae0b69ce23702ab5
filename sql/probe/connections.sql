-- Count the connections that the server still lets this role have to this database, and name the limit that leaves the fewest.
--
-- Connections kept for superusers do not count, and no limit but the server's own is a superuser's.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT l.max_connections, l.free::integer AS free, l.whose, l.way_out
FROM (
    SELECT
        s.max_connections,
        s.max_connections
            - current_setting('superuser_reserved_connections')::integer
            -- This setting exists since PostgreSQL 16.
            - coalesce(current_setting('reserved_connections', true)::integer, 0)
            - (SELECT coalesce(sum(d.numbackends), 0) FROM pg_catalog.pg_stat_database d) AS free,
        format('the server (max_connections %s)', s.max_connections) AS whose,
        'wait until others have left, or raise max_connections' AS way_out
    FROM (SELECT current_setting('max_connections')::integer AS max_connections) AS s
    UNION ALL
    SELECT
        current_setting('max_connections')::integer,
        d.datconnlimit - s.numbackends,
        format('database %I (CONNECTION LIMIT %s)', d.datname, d.datconnlimit),
        format('wait until others have left, or: ALTER DATABASE %I CONNECTION LIMIT %s', d.datname, greatest(s.numbackends, 1) + 2)
    FROM pg_catalog.pg_database d
    JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
    WHERE d.datname = current_database() AND d.datconnlimit >= 0
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = session_user AND r.rolsuper)
    UNION ALL
    SELECT
        current_setting('max_connections')::integer,
        r.rolconnlimit - u.sessions,
        format('role %I (CONNECTION LIMIT %s)', r.rolname, r.rolconnlimit),
        format('let the role''s other sessions end, or: ALTER ROLE %I CONNECTION LIMIT %s', r.rolname, greatest(u.sessions, 1) + 2)
    FROM pg_catalog.pg_roles r
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS sessions FROM pg_catalog.pg_stat_activity a
        WHERE a.usesysid = r.oid AND a.backend_type = 'client backend'
    ) AS u
    WHERE r.rolname = session_user AND r.rolconnlimit >= 0 AND NOT r.rolsuper
) AS l
ORDER BY l.free
LIMIT 1;
