-- Keep in what precision a run computes its vectors, and with what.
--
-- It stands beside the model's record, under computed, once for each run, precision and runtime. Of a run that was resumed in
-- another precision both are there. The last 100 are kept.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, writes the same
-- Undo:         nothing to undo
-- Variables:    run_id, precision, runtime, schema, table, embedding_column, model_name, dimension, model_hash

UPDATE vestige_sql.encoding e
SET settings = pg_catalog.jsonb_set(e.settings, '{computed}', (
    SELECT pg_catalog.jsonb_agg(last.entry ORDER BY last.place)
    FROM (
        SELECT c.entry, c.place
        FROM pg_catalog.jsonb_array_elements(coalesce(e.settings -> 'computed', '[]') || pg_catalog.jsonb_build_array(new.entry))
            WITH ORDINALITY AS c (entry, place)
        ORDER BY c.place DESC
        LIMIT 100
    ) AS last
))
FROM (
    SELECT pg_catalog.jsonb_build_object(
        'run', :run_id::bigint, 'precision', :'precision'::text, 'runtime', :'runtime'::text) AS entry
) AS new
WHERE e.table_schema = :'schema' AND e.table_name = :'table' AND e.column_name = :'embedding_column'
  AND e.model_name = :'model_name' AND e.dimension = :dimension AND e.model_hash = :'model_hash'
  AND NOT coalesce(e.settings -> 'computed', '[]') @> pg_catalog.jsonb_build_array(new.entry);
