-- Record in the audit that the second column exists and that changes are noted.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, the run is filling
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

UPDATE vestige_sql.run r
SET state = 'filling', way = 'online', filled_to = NULL, filling_to = NULL, fill_passes = 0, rows_filled = 0,
    verified_file = NULL, verified_at = NULL
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'staging';
