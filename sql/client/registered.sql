-- Show which models the columns of a table are registered with, and how they make vectors.
--
-- The table is named as SQL reads a qualified name, along the search_path of the session.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    target

SELECT r.column_name, r.model_name AS name, r.dimension, r.model_hash AS hash, r.encoding
FROM vestige_sql.registered(:'target'::regclass) AS r;
