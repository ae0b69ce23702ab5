-- Check that every staged vector has the right dimension and is not zero.
--
-- pgvector lets no NaN and no infinity into a column. The inner product of a vector with itself is the square of its length.
-- pgvector's operator gives it with the sign changed.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, dimension, key_name, staging_table, vector_schema

SELECT vestige_sql.require(
    count(*) = 0,
    format('%s staged vectors for %I.%I are zero or do not have %s dimensions, the first for %s = %s; the table is as it was',
        count(*), :'schema'::text, :'table'::text, :dimension, :'key_name'::text, min(s.id::text)),
    'the model gave vectors that cannot be searched; run vestige-sql migrate abort, and check the model'
)
FROM vestige_sql.:"staging_table" s
WHERE :"vector_schema".vector_dims(s.embedding) <> :dimension
   OR NOT (s.embedding OPERATOR(:"vector_schema".<#>) s.embedding) < 0;
