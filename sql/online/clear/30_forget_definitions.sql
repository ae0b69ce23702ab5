-- Forget the definitions of the indexes that were built, or were to be built, for the switch.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to forget
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

DELETE FROM vestige_sql.saved_index s
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
  AND s.built_as <> s.index_name;
