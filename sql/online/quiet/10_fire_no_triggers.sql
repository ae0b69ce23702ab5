-- Keep this transaction's writes from firing the target's own triggers, as on a replica.
--
-- This needs a superuser, or from PostgreSQL 15 on GRANT SET ON PARAMETER session_replication_role TO the role. Triggers
-- that are enabled as ALWAYS or REPLICA still fire; probe/triggers.sql lists them. The triggers that note changed rows are
-- ALWAYS.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT pg_catalog.set_config('session_replication_role', 'replica', true);
