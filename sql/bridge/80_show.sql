-- Show the maps of a column, those that were dropped too, with their models and figures.
--
-- serves says whether the map leads to the live vectors now, so that bridged() uses it.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid, embedding_column, schema, table

SELECT
    b.id, b.run_id, b.from_name, b.from_dimension, b.from_hash, b.to_name, b.to_dimension, b.to_hash, b.method, b.is_centred,
    b.is_normalised, b.pairs, b.held_out, b.recall, b.recall_low, b.recall_high, b.made_at, b.made_by, b.dropped_at, b.dropped_by,
    b.dropped_at IS NULL AND m.model_hash IS NOT NULL AS serves
FROM vestige_sql.bridge b
LEFT JOIN LATERAL vestige_sql.registered_model(:oid::oid::regclass, :'embedding_column') AS m
    ON (m.model_name, m.dimension, m.model_hash) = (b.to_name, b.to_dimension, b.to_hash)
WHERE b.table_schema = :'schema' AND b.table_name = :'table' AND b.column_name = :'embedding_column'
ORDER BY b.id;
