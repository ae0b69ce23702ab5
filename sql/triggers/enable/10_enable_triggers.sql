-- Switch the triggers on again, each as it was: for this session's role, for replicas, or always.
--
-- A partition's trigger is switched by itself: it may be on otherwise than the table's.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, they are on
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT pg_catalog.format('ALTER TABLE ONLY %s ENABLE %sTRIGGER %I', t.of,
    CASE t.enabled WHEN 'R' THEN 'REPLICA ' WHEN 'A' THEN 'ALWAYS ' ELSE '' END, t.name)
FROM pg_catalog.json_to_recordset(pg_catalog.current_setting('vestige_sql.triggers')::json) AS t (of regclass, name text, enabled text)
ORDER BY t.of, t.name \gexec
