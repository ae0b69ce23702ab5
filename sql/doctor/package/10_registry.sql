-- Hold the column's dimension against the registered model's.
--
-- The sample is of a column that has no dimension of its own.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, vector_schema, sample_percent

WITH target AS (
    SELECT a.attrelid, nullif(a.atttypmod, -1) AS dimension, format('%I.%I.%I', :'schema'::text, :'table'::text, a.attname) AS "column"
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = format('%I.%I', :'schema'::text, :'table'::text)::regclass
      AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
),
found AS (
    SELECT x."column", m.model_name, m.dimension, coalesce(x.dimension, s.dimension) AS has
    FROM target x
    LEFT JOIN LATERAL vestige_sql.registered_model(x.attrelid::regclass, :'embedding_column'::name) AS m ON true
    LEFT JOIN LATERAL (
        SELECT :"vector_schema".vector_dims(t.:"embedding_column") AS dimension
        FROM :"schema".:"table" t TABLESAMPLE SYSTEM (:sample_percent) REPEATABLE (0)
        WHERE x.dimension IS NULL AND m.dimension IS NOT NULL AND t.:"embedding_column" IS NOT NULL
          AND :"vector_schema".vector_dims(t.:"embedding_column") <> m.dimension
        LIMIT 1
    ) AS s ON true
)
SELECT
    'no_model' AS code, 'note' AS severity, f."column" AS object,
    format('no model is registered for %s', f."column") AS what,
    'Nobody knows what its vectors were made with, so a question may be encoded with another model, and a run cannot add the rows that lack a vector.' AS why,
    'vestige-sql migrate register --model MODEL --dimension N, with the model that made the vectors' AS "do"
FROM found f
WHERE f.model_name IS NULL
UNION ALL
SELECT
    'wrong_dimension', 'error', f."column",
    format('%s has vectors of %s dimensions, and the registered model %s has %s', f."column", f.has, f.model_name, f.dimension),
    'The vectors are not those of the registered model, with which questions are encoded.',
    format('vestige-sql migrate reembed --model %s --dimension %s', quote_literal(f.model_name), f.dimension)
FROM found f
WHERE f.has <> f.dimension;
