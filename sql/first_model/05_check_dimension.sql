-- Check that the vectors of the rows that are meant have the dimension of their model.
--
-- The column gets no dimension, since its other rows may have another.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, row_filter, dimension, key_name, key, vector_schema, is_chosen

SELECT vestige_sql.require(
    count(*) = 0,
    format('%s vectors of %I.%I.%I WHERE %s do not have %s dimensions, the first for %s = %s; nothing was changed',
        count(*), :'schema'::text, :'table'::text, :'embedding_column'::text, :'row_filter'::text, :dimension, :'key_name'::text,
        min(:key::text)),
    'register the model that they are of, or name other rows with --where')
FROM :"schema".:"table" t
WHERE t.:"embedding_column" IS NOT NULL
  AND :"vector_schema".vector_dims(t.:"embedding_column") <> :dimension
  AND :is_chosen;
