-- Register the model whose vectors are in the column.
--
-- Locks:        none on the target, ROW EXCLUSIVE on embedding_model
-- Transaction:  required
-- Run again:    safe, writes the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, model_name, dimension, model_hash, row_filter

SELECT vestige_sql.set_rows_model(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column',
    :'model_name', :dimension, :'model_hash', :'row_filter');
