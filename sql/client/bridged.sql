-- Bring the vector of a question into the space of the live vectors: see functions/bridged.sql.
--
-- The table is named as SQL reads a qualified name, along the search_path of the session.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    target, vector, model_hash, column

SELECT vestige_sql.bridged(:'target'::regclass, :'vector', :'model_hash', :'column')::real[] AS vector;
