-- Remember, for this transaction, whether this role may keep the target's own triggers from firing.
--
-- The step finds it out by trying.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

DO $try$
DECLARE
    v_was text := pg_catalog.current_setting('session_replication_role');
BEGIN
    PERFORM pg_catalog.set_config('session_replication_role', 'replica', true);
    PERFORM pg_catalog.set_config('session_replication_role', v_was, true);
    PERFORM pg_catalog.set_config('vestige_sql.triggers_quiet', 'true', true);
EXCEPTION WHEN insufficient_privilege THEN
    PERFORM pg_catalog.set_config('vestige_sql.triggers_quiet', 'false', true);
END
$try$;
