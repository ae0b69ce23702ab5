-- Check that the open run is for the given model, so that no other model's vectors are put in place.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    model_name, dimension, model_hash, schema, table, embedding_column

SELECT vestige_sql.require(
    coalesce(bool_and(r.to_name = :'model_name' AND r.to_dimension = :dimension AND r.to_hash = :'model_hash'), false),
    format('this transaction is for %s (%s dimensions, hash %s), and the open run on %I.%I.%I is for %s; the table is as it was',
        :'model_name'::text, :dimension, :'model_hash'::text, :'schema'::text, :'table'::text, :'embedding_column'::text,
        coalesce(min(format('%s (%s dimensions, hash %s)', r.to_name, r.to_dimension, r.to_hash)), 'no model: its index is to be built')),
    'vestige-sql migrate status shows the run; vestige-sql migrate abort drops its staged vectors'
)
FROM vestige_sql.run r
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'staging';
