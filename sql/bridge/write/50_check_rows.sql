-- Check that a map has a row for each dimension that it gives, with a weight for each that it takes.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    vector_schema, bridge

SELECT vestige_sql.require(
    b.rows = b.to_dimension AND b.first = 1 AND b.last = b.to_dimension AND b.narrowest = b.from_dimension AND b.widest = b.from_dimension,
    format('the map %s from %s to %s dimensions came in with %s rows of %s to %s weights',
        b.id, b.from_dimension, b.to_dimension, b.rows, b.narrowest, b.widest),
    'no map was written; run the same command again'
)
FROM (
    SELECT m.id, m.from_dimension, m.to_dimension, count(w.nr) AS rows, min(w.nr) AS first, max(w.nr) AS last,
        min(:"vector_schema".vector_dims(w.weights)) AS narrowest, max(:"vector_schema".vector_dims(w.weights)) AS widest
    FROM vestige_sql.bridge m
    LEFT JOIN vestige_sql.bridge_row w ON w.bridge = m.id
    WHERE m.id = :bridge
    GROUP BY m.id
) AS b;
