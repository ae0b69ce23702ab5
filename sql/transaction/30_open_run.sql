-- Begin the audit of a run where none is open.
--
-- A table without text needs no staging to change its model. Where rows have text and nothing is staged, the gate stops the
-- transaction, and this step is undone with it.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, an open run stays as it is
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, scope, model_name, dimension, model_hash, package_version

INSERT INTO vestige_sql.run (
    table_schema, table_name, column_name, scope, to_name, to_dimension, to_hash, package_version
)
VALUES (
    :'schema', :'table', :'embedding_column', :'scope', :'model_name', :dimension, :'model_hash', :'package_version'
)
ON CONFLICT DO NOTHING;
