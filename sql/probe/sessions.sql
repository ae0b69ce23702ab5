-- List the sessions that hold or await a lock on the target, the oldest transaction first.
--
-- This package ends none of them. A prepared transaction holds its locks without a session, until somebody says COMMIT PREPARED
-- or ROLLBACK PREPARED. It has no pid, and its name stands in the place of a query. A lock on a partition of the target counts.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid

WITH RECURSIVE tables (oid) AS (
    SELECT :oid::oid
    UNION
    SELECT i.inhrelid FROM tables t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
)
SELECT
    a.pid,
    coalesce(a.usename, a.backend_type, x.owner) AS role,
    CASE WHEN x.gid IS NULL THEN a.application_name ELSE 'prepared transaction' END AS application_name,
    CASE WHEN x.gid IS NULL THEN a.state ELSE 'prepared' END AS state,
    pg_catalog.string_agg(DISTINCT l.mode, ', ') AS modes,
    bool_or(l.granted) AS granted,
    (extract(epoch FROM clock_timestamp() - min(coalesce(a.xact_start, x.prepared))))::double precision AS transaction_secs,
    -- It is anybody's text: a terminal would obey its control characters.
    pg_catalog.translate(
        coalesce(pg_catalog.left(a.query, 80), x.gid),
        E'\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12'
        '\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f',
        E'\u2401\u2402\u2403\u2404\u2405\u2406\u2407\u2408  \u240b\u240c \u240e\u240f\u2410\u2411\u2412'
        '\u2413\u2414\u2415\u2416\u2417\u2418\u2419\u241a\u241b\u241c\u241d\u241e\u241f\u2421'
    ) AS query
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
-- A lock of a prepared transaction has no pid. Another lock of the same holder has its number.
LEFT JOIN (
    SELECT n.virtualtransaction, p.gid, p.owner, p.prepared
    FROM pg_catalog.pg_prepared_xacts p
    JOIN pg_catalog.pg_locks n ON n.locktype = 'transactionid' AND n.transactionid = p.transaction AND n.pid IS NULL
) AS x ON l.pid IS NULL AND x.virtualtransaction = l.virtualtransaction
WHERE l.locktype = 'relation'
  AND l.relation IN (SELECT t.oid FROM tables t)
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND (a.pid <> pg_catalog.pg_backend_pid() OR x.gid IS NOT NULL)
GROUP BY a.pid, a.usename, a.backend_type, a.application_name, a.state, a.query, x.gid, x.owner
ORDER BY min(coalesce(a.xact_start, x.prepared)), a.pid;
