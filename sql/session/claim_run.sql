-- Claim the target for one run with an advisory lock, which is held as long as this session lives.
--
-- The lock is tried and never waited for. CREATE INDEX CONCURRENTLY would deadlock with a session that waits inside
-- pg_advisory_lock().
--
-- Locks:        none on the target, one advisory lock
-- Transaction:  either
-- Run again:    safe, the lock is counted
-- Undo:         ends with the session
-- Variables:    schema, table, embedding_column

SELECT vestige_sql.require(
    pg_catalog.pg_try_advisory_lock(
        pg_catalog.hashtext('vestige_sql'),
        pg_catalog.hashtext(pg_catalog.format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text))
    ),
    pg_catalog.format('another run is at work on %I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
    'wait for it to end; vestige-sql migrate status shows it; nothing was written'
);
