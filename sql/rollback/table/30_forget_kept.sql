-- Record that no vectors are kept any more, since they are staged now.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is forgotten
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

DELETE FROM vestige_sql.kept k
WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column';
