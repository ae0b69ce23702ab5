-- Keep how a model makes vectors of texts: its prompts, pooling, length, dimension and file.
--
-- Search and preview encode questions as it says. encoding is a JSON object.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, writes the same
-- Undo:         DELETE the row from vestige_sql.encoding
-- Variables:    schema, table, embedding_column, model_name, dimension, model_hash, encoding

INSERT INTO vestige_sql.encoding AS e (
    table_schema, table_name, column_name, model_name, dimension, model_hash, settings
)
VALUES (:'schema', :'table', :'embedding_column', :'model_name', :dimension, :'model_hash', :'encoding')
ON CONFLICT (table_schema, table_name, column_name, model_name, dimension, model_hash) DO UPDATE
-- What is kept of its runs stays.
SET settings = excluded.settings || pg_catalog.jsonb_build_object('computed', coalesce(e.settings -> 'computed', '[]')),
    recorded_at = excluded.recorded_at,
    recorded_by = excluded.recorded_by
WHERE e.settings - 'computed' <> excluded.settings;
