-- Forget the texts of rows that are gone.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to forget
-- Undo:         nothing to undo
-- Variables:    worker, schema, table, key_array

DELETE FROM vestige_sql.worker_text x
WHERE x.worker = :worker
  AND NOT row_security_active(format('%I.%I', :'schema'::text, :'table'::text)::regclass)
  AND NOT EXISTS (SELECT FROM :"schema".:"table" t WHERE :key_array = x.key);
