-- Begin the audit of a run where none is open.
--
-- A table without text needs no staging to change its model. Where rows have text and nothing is staged, the gate stops the
-- transaction, and this step is undone with it.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, an open run stays as it is
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, scope, model_name, dimension, model_hash, package_version, row_filter

INSERT INTO vestige_sql.run (
    table_schema, table_name, column_name, scope, to_name, to_dimension, to_hash, package_version,
    home, table_oid, column_number, row_filter
)
SELECT
    :'schema', :'table', :'embedding_column', :'scope', :'model_name', :dimension, :'model_hash', :'package_version',
    vestige_sql.this_home(), a.attrelid, a.attnum, :'row_filter'
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attname = :'embedding_column'
ON CONFLICT DO NOTHING;
