-- Close the run as aborted.
--
-- A worker that is still at a chunk ends it first, and is kept from the next.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, a closed run stays as it is
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

UPDATE vestige_sql.run
SET state = 'aborted', finished_at = clock_timestamp()
WHERE table_schema = :'schema' AND table_name = :'table' AND column_name = :'embedding_column'
  AND state IN ('staging', 'filling');
