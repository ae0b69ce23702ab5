-- Begin the audit of a run: one row in vestige_sql.run, with the signatures from and to.
--
-- way is online where the run is meant to be online.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    refused, while the target has an open run
-- Undo:         DELETE the row from vestige_sql.run
-- Variables:    schema, table, embedding_column, scope, from_name, from_dimension, from_hash, model_name, dimension, model_hash, way, rows_total, variables, package_version

INSERT INTO vestige_sql.run (
    table_schema, table_name, column_name, scope, from_name, from_dimension, from_hash, to_name, to_dimension, to_hash,
    way, rows_total, variables, package_version
)
VALUES (
    :'schema', :'table', :'embedding_column', :'scope', :from_name, :from_dimension, :from_hash,
    :'model_name', :dimension, :'model_hash', :'way', :rows_total, :'variables', :'package_version'
)
RETURNING id;
