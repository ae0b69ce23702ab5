-- The target's own triggers that an UPDATE of the second column would fire: "O" in a usual session, "R" in one whose
-- session_replication_role is replica, "A" in both.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid, insert_trigger, update_trigger, keep_trigger

SELECT t.tgname AS name, t.tgenabled AS enabled
FROM pg_catalog.pg_trigger t
WHERE t.tgrelid = :oid::oid
  AND NOT t.tgisinternal
  AND t.tgenabled <> 'D'
  -- bit 4 of tgtype is UPDATE; with a list of columns, the second is not on it
  AND t.tgtype::integer & 16 <> 0
  AND t.tgattr = ''::int2vector
  AND t.tgname NOT IN (:'insert_trigger', :'update_trigger', :'keep_trigger')
ORDER BY t.tgname;
