-- Compare the vector that a model gives to a text today with the one that is remembered.
--
-- The answer is the cosine of the two, and no row where none is remembered.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    probe_vector, model_name, dimension, model_hash, probe_text

SELECT
    (
        SELECT sum(x.former::float8 * x.now) / nullif(sqrt(sum(x.former::float8 ^ 2)) * sqrt(sum(x.now::float8 ^ 2)), 0)
        FROM unnest(e.vector, :'probe_vector'::real[]) AS x (former, now)
    ) AS cosine,
    e.remembered_at
FROM vestige_sql.encoder_probe e
WHERE e.model_name = :'model_name' AND e.dimension = :dimension AND e.model_hash = :'model_hash'
  AND e.probe_text = :'probe_text';
