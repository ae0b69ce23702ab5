-- Claim the passes over the table for this process, unless another worker is at one.
--
-- The lock is tried and never waited for. Of several workers one looks at the table at a time.
--
-- Locks:        none on the target, one advisory lock
-- Transaction:  either
-- Run again:    safe, the lock is counted
-- Undo:         session/release_claims.sql
-- Variables:    worker

SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext('vestige_sql worker'), :worker::integer) AS is_mine;
