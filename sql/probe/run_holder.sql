-- Show which session has claimed the target for a run.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT a.pid, a.usename AS role, a.application_name, a.client_addr::text AS client, a.backend_start
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.objsubid = 2
  AND l.granted
  AND l.classid::bigint = (pg_catalog.hashtext('vestige_sql')::bigint & 4294967295)
  AND l.objid::bigint = (pg_catalog.hashtext(pg_catalog.format(
      '%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text))::bigint & 4294967295);
