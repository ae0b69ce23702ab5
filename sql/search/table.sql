-- Return what a search must know of Vestige's table: its schema, and the type in which its vectors are compared.
--
-- The result is one row, or none where there is no such table. The name is read as SQL reads a qualified name. Vectors are
-- compared as the HNSW index has them, since a search by any other expression scans the table. Above 2,000 dimensions that
-- is halfvec. Without such an index, they are compared as the column has them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    target

WITH role AS MATERIALIZED (
    SELECT
        pg_catalog.current_setting('search_path') AS was,
        pg_catalog.set_config('search_path', coalesce(
            nullif(pg_catalog.current_setting('vestige_sql.search_path', true), ''),
            pg_catalog.current_setting('search_path')), true) AS path
),
-- only the name is read along the role's own search_path
named AS MATERIALIZED (
    SELECT pg_catalog.to_regclass(:'target') AS oid, r.was FROM role r
),
found AS MATERIALIZED (
    SELECT n.oid, pg_catalog.set_config('search_path', n.was, true) AS path FROM named n
)
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
        WHERE pn.nspname = 'vestige_sql' AND p.proname = 'require') AS package_functions_exist,
    -- Databases of version 0.1.0 do not know it.
    EXISTS (
        SELECT FROM pg_catalog.pg_class h
        JOIN pg_catalog.pg_namespace pn ON pn.oid = h.relnamespace
        WHERE pn.nspname = 'vestige_sql' AND h.relname = 'home') AS knows_its_table,
    current_user AS role,
    -- the rights that a search needs and this role lacks
    (SELECT pg_catalog.array_agg(pg_catalog.format('GRANT %s TO %I', g.lacking, current_user) ORDER BY g.lacking)
     FROM (
         SELECT pg_catalog.format('SELECT ON %I.%I', n.nspname, r.relname)
         FROM pg_catalog.pg_class r
         WHERE r.relnamespace = n.oid AND r.relname IN ('knowledge_nodes', 'scheduling', 'embedding_model')
           AND NOT pg_catalog.has_table_privilege(r.oid, 'SELECT')
         UNION ALL
         SELECT pg_catalog.format('SELECT ON vestige_sql.%I', r.relname)
         FROM pg_catalog.pg_class r
         JOIN pg_catalog.pg_namespace pn ON pn.oid = r.relnamespace AND pn.nspname = 'vestige_sql'
         WHERE r.relname IN ('model', 'home')
           AND EXISTS (SELECT FROM pg_catalog.pg_class h WHERE h.relnamespace = pn.oid AND h.relname = 'home')
           AND NOT pg_catalog.has_table_privilege(r.oid, 'SELECT')
         UNION ALL
         SELECT 'USAGE ON SCHEMA vestige_sql'
         FROM pg_catalog.pg_namespace pn
         WHERE pn.nspname = 'vestige_sql' AND NOT pg_catalog.has_schema_privilege(pn.oid, 'USAGE')
         UNION ALL
         SELECT 'EXECUTE ON FUNCTION vestige_sql.require'
         FROM pg_catalog.pg_proc p
         JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
         WHERE pn.nspname = 'vestige_sql' AND p.proname = 'require' AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
         UNION ALL
         SELECT pg_catalog.format('USAGE ON SCHEMA %I', tn.nspname)
         WHERE NOT pg_catalog.has_schema_privilege(tn.oid, 'USAGE')
     ) AS g (lacking)) AS missing_grants
FROM found f
JOIN pg_catalog.pg_class c ON c.oid = f.oid
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
) AS x ON true;
