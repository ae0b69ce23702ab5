-- Begin the audit of going back with one row in vestige_sql.run.
--
-- Its run goes from the registered model to the model whose vectors are kept.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, a run that is open stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    from_name, from_dimension, from_hash, variables, package_version, row_filter, schema, table, embedding_column

INSERT INTO vestige_sql.run (
    table_schema, table_name, column_name, scope, state, from_name, from_dimension, from_hash,
    to_name, to_dimension, to_hash, variables, package_version, home, table_oid, column_number, row_filter
)
SELECT
    k.table_schema, k.table_name, k.column_name, 'back', CASE k.place WHEN 'column' THEN 'filling' ELSE 'staging' END,
    :from_name, :from_dimension, :from_hash, k.model_name, k.dimension, k.model_hash, :'variables', :'package_version',
    vestige_sql.this_home(), a.attrelid, a.attnum, :'row_filter'
FROM vestige_sql.kept k
JOIN pg_catalog.pg_attribute a
    ON a.attrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attname = :'embedding_column'
WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column'
ON CONFLICT DO NOTHING
RETURNING id;
