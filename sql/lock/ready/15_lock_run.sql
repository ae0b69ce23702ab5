-- Let workers that still stage for the open run end their chunk, and keep them from the next one.
--
-- Each chunk locks the run's row the other way (stage/check_run.sql). So what the gate finds staged is all there is until
-- the transaction ends. This holds for any process that was left over, on whichever machine.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is held already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

SELECT r.id
FROM vestige_sql.run r
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state IN ('staging', 'filling')
FOR NO KEY UPDATE;
