-- Switch the target's own triggers off, so that writing embeddings fires none.
--
-- Owning the table is enough for this.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, they are off
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

SELECT pg_catalog.format('ALTER TABLE %I.%I DISABLE TRIGGER %I', :'schema'::text, :'table'::text, t.name)
FROM pg_catalog.json_to_recordset(pg_catalog.current_setting('vestige_sql.triggers')::json) AS t (name text)
ORDER BY t.name \gexec
