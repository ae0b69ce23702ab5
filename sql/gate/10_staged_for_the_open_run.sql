-- Check that what is staged is for the dimension to be applied, and for an open run.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, dimension

SELECT vestige_sql.require(
    count(*) = 1,
    format('nothing is staged for %I.%I.%I with %s dimensions; the table is as it was',
        :'schema'::text, :'table'::text, :'embedding_column'::text, :dimension),
    'run vestige-sql migrate stage, or see vestige_sql.run for what is staged'
)
FROM vestige_sql.run r
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'staging' AND r.to_dimension = :dimension;
