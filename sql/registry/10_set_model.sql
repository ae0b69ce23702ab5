-- Register the model whose vectors are now in the column, as the open run names it.
--
-- Locks:        none on the target, ROW EXCLUSIVE on embedding_model
-- Transaction:  required
-- Run again:    safe, writes the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

SELECT vestige_sql.set_rows_model(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column',
    r.to_name, r.to_dimension, r.to_hash, r.row_filter)
FROM vestige_sql.run r
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state IN ('staging', 'filling');
