-- Show how a model makes vectors of texts, as it was recorded when the model was registered or staged.
--
-- What is recorded for the target comes first. For a table or column that has another name since, it is what was recorded
-- last for the same model. There is no row where nothing is.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    model_name, dimension, model_hash, schema, table, embedding_column

SELECT e.settings
FROM vestige_sql.encoding e
WHERE e.model_name = :'model_name' AND e.dimension = :dimension AND e.model_hash = :'model_hash'
ORDER BY
    (e.table_schema, e.table_name, e.column_name) = (:'schema', :'table', :'embedding_column') DESC,
    e.recorded_at DESC
LIMIT 1;
