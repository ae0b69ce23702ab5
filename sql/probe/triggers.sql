-- List the target's own triggers that an UPDATE of the second column would fire.
--
-- enabled is "O" for a trigger that fires in a usual session. It is "R" where session_replication_role has to be replica, and
-- "A" for both.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid

SELECT t.tgname AS name, t.tgenabled AS enabled
FROM pg_catalog.pg_trigger t
WHERE t.tgrelid = :oid::oid
  AND NOT t.tgisinternal
  AND t.tgenabled <> 'D'
  -- Bit 4 of tgtype is UPDATE. A trigger's list of columns never has the second column on it.
  AND t.tgtype::integer & 16 <> 0
  AND t.tgattr = ''::int2vector
  -- The package's own do nothing then, whichever column of the table they are about.
  AND NOT (t.tgname ~ '^(vestige_sql_note_(inserted|updated)|zz_vestige_sql_forget_stale)_[0-9a-f]{16}$'
      AND EXISTS (
          SELECT FROM pg_catalog.pg_proc p
          WHERE p.oid = t.tgfoid AND p.pronamespace = pg_catalog.to_regnamespace('vestige_sql')))
ORDER BY t.tgname;
