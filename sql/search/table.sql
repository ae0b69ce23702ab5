-- What a search has to know of Vestige's table: its schema, and the type in which its vectors are compared.
--
-- One row, or none where there is no such table. The name is read as SQL reads a qualified name. Vectors are compared
-- as the HNSW index has them, for a search by any other expression scans the table: above 2,000 dimensions that is
-- halfvec. Without such an index they are compared as the column has them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    target

SELECT
    n.nspname AS schema,
    pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
    tn.nspname AS vector_schema,
    pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(coalesce(x.key_type, t.typname)) AS search_type,
    c.relname = 'knowledge_nodes' AND v.attname IS NOT NULL
        AND pg_catalog.to_regclass(pg_catalog.format('%I.embedding_model', n.nspname)) IS NOT NULL
        AND pg_catalog.to_regclass(pg_catalog.format('%I.scheduling', n.nspname)) IS NOT NULL AS is_vestiges,
    EXISTS (
        SELECT FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
        WHERE pn.nspname = 'vestige_sql' AND p.proname = 'require') AS package_functions_exist
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute v ON v.attrelid = c.oid AND v.attname = 'search_vec' AND NOT v.attisdropped
LEFT JOIN pg_catalog.pg_attribute e ON e.attrelid = c.oid AND e.attname = 'embedding' AND NOT e.attisdropped
LEFT JOIN pg_catalog.pg_type t ON t.oid = e.atttypid
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN LATERAL (
    SELECT kt.typname AS key_type
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[0] AND o.opcname IN ('vector_cosine_ops', 'halfvec_cosine_ops')
    JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indexrelid AND k.attnum = 1
    JOIN pg_catalog.pg_type kt ON kt.oid = k.atttypid
    WHERE i.indrelid = c.oid AND i.indisvalid
    ORDER BY kt.typname = t.typname DESC
    LIMIT 1
) AS x ON true
WHERE c.oid = pg_catalog.to_regclass(:'target');
