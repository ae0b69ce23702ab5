-- Remember the model of the kept vectors.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  required
-- Run again:    safe, remembers the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

INSERT INTO vestige_sql.kept (
    table_schema, table_name, column_name, place, model_name, dimension, model_hash, run_id, home, table_oid
)
SELECT r.table_schema, r.table_name, r.column_name, 'table', m.model_name, m.dimension, m.model_hash, r.id,
    r.home, r.table_oid
FROM vestige_sql.run r
-- it is known of which model they are, or it is not
LEFT JOIN LATERAL vestige_sql.rows_model(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', r.row_filter) AS m ON true
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'staging'
ON CONFLICT (table_schema, table_name, column_name) DO UPDATE
SET place = excluded.place,
    model_name = excluded.model_name,
    dimension = excluded.dimension,
    model_hash = excluded.model_hash,
    run_id = excluded.run_id,
    home = excluded.home,
    guard = NULL,
    table_oid = excluded.table_oid,
    kept_at = clock_timestamp();
