-- Check that the staged vectors are still the registered model's, where only rows that lack a vector get one.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    only_missing, schema, table, embedding_column

SELECT vestige_sql.require(
    NOT :only_missing OR (r.to_name, r.to_dimension, r.to_hash) IS NOT DISTINCT FROM (m.model_name, m.dimension, m.model_hash),
    format('vectors of %s (%s dimensions, hash %s) are staged for rows of %I.%I that lack one, and %s is registered by now; the table is as it was',
        r.to_name, r.to_dimension, r.to_hash, r.table_schema, r.table_name,
        coalesce(format('%s (%s dimensions, hash %s)', m.model_name, m.dimension, m.model_hash), 'no model')),
    'they would be mixed with vectors of another model; run vestige-sql migrate abort, and begin again'
)
FROM vestige_sql.run r
LEFT JOIN LATERAL vestige_sql.rows_model(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', r.row_filter) AS m ON true
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'staging';
