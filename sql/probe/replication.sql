-- Measure how far the server's replicas and logical subscribers are behind, in bytes of WAL.
--
-- The one that is furthest behind counts. Roles with pg_monitor see replicas, and everybody sees slots.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT coalesce(max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), x.lsn)), 0)::bigint AS lag_bytes
FROM (
    SELECT r.replay_lsn FROM pg_catalog.pg_stat_replication r
    UNION ALL
    SELECT coalesce(s.confirmed_flush_lsn, s.restart_lsn) FROM pg_catalog.pg_replication_slots s WHERE s.active
) AS x (lsn);
