-- Remember the model of the kept vectors.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, remembers the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

INSERT INTO vestige_sql.kept (
    table_schema, table_name, column_name, place, model_name, dimension, model_hash, run_id
)
SELECT r.table_schema, r.table_name, r.column_name, 'table', r.from_name, r.from_dimension, r.from_hash, r.id
FROM vestige_sql.run r
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'staging'
ON CONFLICT (table_schema, table_name, column_name) DO UPDATE
SET place = excluded.place,
    model_name = excluded.model_name,
    dimension = excluded.dimension,
    model_hash = excluded.model_hash,
    run_id = excluded.run_id,
    kept_at = clock_timestamp();
