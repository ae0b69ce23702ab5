-- Switch the triggers on again, each as it was: for this session's role, for replicas, or always.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, they are on
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

SELECT pg_catalog.format('ALTER TABLE %I.%I ENABLE %sTRIGGER %I', :'schema'::text, :'table'::text,
    CASE t.enabled WHEN 'R' THEN 'REPLICA ' WHEN 'A' THEN 'ALWAYS ' ELSE '' END, t.name)
FROM pg_catalog.json_to_recordset(pg_catalog.current_setting('vestige_sql.triggers')::json) AS t (name text, enabled text)
ORDER BY t.name \gexec
