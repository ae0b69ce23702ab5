-- Begin the audit of going back with one row in vestige_sql.run.
--
-- Its run goes from the registered model to the model whose vectors are kept.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, a run that is open stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    from_name, from_dimension, from_hash, variables, package_version, schema, table, embedding_column

INSERT INTO vestige_sql.run (
    table_schema, table_name, column_name, scope, state, from_name, from_dimension, from_hash,
    to_name, to_dimension, to_hash, variables, package_version
)
SELECT
    k.table_schema, k.table_name, k.column_name, 'back', CASE k.place WHEN 'column' THEN 'filling' ELSE 'staging' END,
    :from_name, :from_dimension, :from_hash, k.model_name, k.dimension, k.model_hash, :'variables', :'package_version'
FROM vestige_sql.kept k
WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column'
ON CONFLICT DO NOTHING
RETURNING id;
