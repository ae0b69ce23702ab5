-- Check that the registered model is known to be the model of this very table's vectors.
--
-- The package has a row of its own for a registry that it wrote. The check fails where that one is about another table of this name,
-- came by dump and restore, or names another model. Where the package never wrote the registry, it holds.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema

SELECT vestige_sql.require(
    CASE WHEN k.model_hash IS NOT NULL
        THEN (k.model_name, k.dimension, k.model_hash) IS NOT DISTINCT FROM (
            coalesce(r.j ->> 'model_name', r.j ->> 'name'), (r.j ->> 'dimension')::integer, coalesce(r.j ->> 'model_hash', r.j ->> 'hash'))
        ELSE NOT EXISTS (
            SELECT FROM vestige_sql.model m
            WHERE m.table_schema = :'schema' AND m.table_name = 'knowledge_nodes' AND m.column_name = 'embedding')
    END,
    pg_catalog.format('nobody knows of which model the vectors of %I.knowledge_nodes are: its registry is about another table, or came '
        'by dump and restore', :'schema'::text),
    'vestige-sql migrate status says how to register them; nothing was searched for'
) AS is_known
FROM (SELECT) AS one
LEFT JOIN (SELECT pg_catalog.to_jsonb(m) FROM :"schema".embedding_model m WHERE m.id = 1) AS r (j) ON true
LEFT JOIN LATERAL (
    SELECT m.model_name, m.dimension, m.model_hash
    FROM vestige_sql.model m
    JOIN vestige_sql.home h ON h.id = m.home AND h.place = h.tableoid AND h.written_by = h.xmin
    JOIN pg_catalog.pg_attribute a ON a.attrelid = m.table_oid AND a.attnum = m.column_number
    WHERE m.table_oid = pg_catalog.format('%I.knowledge_nodes', :'schema'::text)::regclass AND a.attname = 'embedding'
) AS k ON true
WHERE coalesce(r.j ->> 'model_hash', r.j ->> 'hash') IS NOT NULL;
