-- Show the model that Vestige's registry names, if the package knows that it is about this very table.
--
-- The package has a row of its own for each registry that it wrote. There is no row here where that one is about another table or
-- column of this name, came by dump and restore, or names another model. Where the package never wrote the registry, it holds.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT r.name, r.dimension, r.hash
FROM (
    SELECT
        coalesce(j.m ->> 'model_name', j.m ->> 'name') AS name,
        (j.m ->> 'dimension')::integer AS dimension,
        coalesce(j.m ->> 'model_hash', j.m ->> 'hash') AS hash
    FROM (SELECT pg_catalog.to_jsonb(m) FROM :"schema".embedding_model m WHERE m.id = 1) AS j (m)
) AS r
LEFT JOIN LATERAL (
    SELECT m.model_name, m.dimension, m.model_hash
    FROM vestige_sql.model m
    JOIN vestige_sql.home h ON h.id = m.home AND h.place = h.tableoid AND h.written_by = h.xmin
    JOIN pg_catalog.pg_attribute a ON a.attrelid = m.table_oid AND a.attnum = m.column_number
    WHERE m.table_oid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
      AND a.attname = :'embedding_column'
) AS k ON true
WHERE CASE
    WHEN k.model_hash IS NOT NULL THEN (r.name, r.dimension, r.hash) = (k.model_name, k.dimension, k.model_hash)
    ELSE NOT EXISTS (
        SELECT FROM vestige_sql.model m
        WHERE m.table_schema = :'schema' AND m.table_name = :'table' AND m.column_name = :'embedding_column')
END;
