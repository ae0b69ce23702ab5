-- Switch the target's own triggers off, so that writing embeddings fires none.
--
-- Owning the table is enough for this.
--
-- A partition's trigger is switched by itself: it may be on otherwise than the table's.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, they are off
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', t.of, t.name)
FROM pg_catalog.json_to_recordset(pg_catalog.current_setting('vestige_sql.triggers')::json) AS t (of regclass, name text)
ORDER BY t.of, t.name \gexec
