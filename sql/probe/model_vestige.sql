-- Show the model that Vestige's registry names.
--
-- There is no row, or its fields are NULL, where none is registered.
--
-- The registry is read through JSON, because databases made by Vestige's own migrations call the columns name and hash.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema

SELECT
    coalesce(r.j ->> 'model_name', r.j ->> 'name') AS name,
    (r.j ->> 'dimension')::integer AS dimension,
    coalesce(r.j ->> 'model_hash', r.j ->> 'hash') AS hash
FROM (SELECT pg_catalog.to_jsonb(m) FROM :"schema".embedding_model m WHERE m.id = 1) AS r (j);
