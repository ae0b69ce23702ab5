-- Add a map: its models, how it was fitted, and its figures.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    refused, there is one map from a model to another
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, run_id, map_from_name, map_from_dimension, map_from_hash, map_to_name, map_to_dimension, map_to_hash, method, is_centred, is_normalised, pairs, held_out, recall, recall_low, recall_high, settings, package_version

INSERT INTO vestige_sql.bridge (
    table_schema, table_name, column_name, run_id, from_name, from_dimension, from_hash, to_name, to_dimension, to_hash,
    method, is_centred, is_normalised, pairs, held_out, recall, recall_low, recall_high, settings, package_version
)
VALUES (
    :'schema', :'table', :'embedding_column', :run_id,
    :'map_from_name', :map_from_dimension, :'map_from_hash', :'map_to_name', :map_to_dimension, :'map_to_hash',
    :'method', :is_centred, :is_normalised, :pairs, :held_out, :recall, :recall_low, :recall_high, :'settings', :'package_version'
)
RETURNING id;
