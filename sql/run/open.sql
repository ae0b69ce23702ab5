-- Begin the audit of a run: one row in vestige_sql.run, with the signatures from and to.
--
-- way is online where the run is meant to be online.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    refused, while the target has an open run
-- Undo:         DELETE the row from vestige_sql.run
-- Variables:    schema, table, embedding_column, scope, from_name, from_dimension, from_hash, model_name, dimension, model_hash, way, rows_total, variables, package_version, row_filter

INSERT INTO vestige_sql.run (
    table_schema, table_name, column_name, scope, from_name, from_dimension, from_hash, to_name, to_dimension, to_hash,
    way, rows_total, variables, package_version, home, table_oid, column_number,
    row_filter
)
SELECT
    :'schema', :'table', :'embedding_column', :'scope', :from_name, :from_dimension, :from_hash,
    :'model_name', :dimension, :'model_hash', :'way', :rows_total, :'variables', :'package_version',
    vestige_sql.this_home(), a.attrelid, a.attnum, :'row_filter'
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attname = :'embedding_column'
RETURNING id;
