-- Show the target table: what it is, whose it is, its text and its embedding column.
--
-- There is one row, or none where there is no such table. The name is read as SQL reads a qualified name. Without quotes it is
-- folded to lower case. Without a schema it is looked for along the search_path. The columns' names are taken literally, and
-- one that is too long is not cut: it names no column. A column that does not exist leaves NULL in its type. The rows and bytes of
-- a partitioned table are those of its partitions, of which partitions is the number; it is NULL for other tables.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    target, embedding_column, content_expression, content_column

WITH RECURSIVE role AS MATERIALIZED (
    SELECT
        pg_catalog.current_setting('search_path') AS was,
        pg_catalog.set_config('search_path', coalesce(
            nullif(pg_catalog.current_setting('vestige_sql.search_path', true), ''),
            pg_catalog.current_setting('search_path')), true) AS path
),
-- Only the name is read along the role's own search_path.
named AS MATERIALIZED (
    SELECT pg_catalog.to_regclass(:'target') AS oid, r.was FROM role r
),
found AS MATERIALIZED (
    SELECT n.oid, pg_catalog.set_config('search_path', n.was, true) AS path FROM named n
),
target AS (
    SELECT c.*, n.nspname
    FROM found f
    JOIN pg_catalog.pg_class c ON c.oid = f.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
),
-- the table, or its partitions
tables AS (
    SELECT t.oid, t.relkind, t.reltuples, 0 AS level FROM target t
    UNION ALL
    SELECT c.oid, c.relkind, c.reltuples, t.level + 1
    FROM tables t
    JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    WHERE t.relkind = 'p'
),
measured AS (
    SELECT
        pg_catalog.sum(greatest(t.reltuples, 0)) FILTER (WHERE t.relkind <> 'p')::bigint AS estimated_rows,
        pg_catalog.sum(pg_catalog.pg_table_size(t.oid))::bigint AS table_bytes,
        pg_catalog.sum(pg_catalog.pg_indexes_size(t.oid))::bigint AS index_bytes,
        nullif(count(*) FILTER (WHERE t.level > 0 AND t.relkind <> 'p'), 0) AS partitions
    FROM tables t
),
columns AS (
    SELECT
        a.attname, a.attnum, a.attnotnull, a.atttypmod, a.attgenerated, a.attinhcount, t.typname, a.attcollation,
        a.attstorage, a.attcompression,
        EXISTS (
            SELECT FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_extension'::regclass
            WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = a.atttypid AND x.extname = 'vector'
        ) AS is_pgvectors,
        pg_catalog.format_type(a.atttypid, a.atttypmod) AS full_type,
        a.atttypid, t.typcollation, n.nspname AS type_schema
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    JOIN target ON target.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
)
SELECT
    target.oid::bigint AS oid,
    target.nspname AS schema,
    target.relname AS "table",
    pg_catalog.format('%I.%I', target.nspname, target.relname) AS name,
    pg_catalog.format('%I.%I.%I', target.nspname, target.relname, :'embedding_column'::text) AS "column",
    target.relkind::text AS kind,
    target.relpersistence::text AS persistence,
    pg_catalog.pg_get_userbyid(target.relowner) AS owner,
    pg_catalog.pg_has_role(target.relowner, 'USAGE') AS is_owner,
    target.relrowsecurity AS row_security,
    pg_catalog.row_security_active(target.oid) AS row_security_applies,
    target.reloftype <> 0 AS is_typed,
    EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE target.oid IN (i.inhparent, i.inhrelid)) AS inherits,
    EXISTS (
        SELECT FROM pg_catalog.pg_rewrite r
        WHERE r.ev_class = target.oid AND r.ev_type = '2') AS has_update_rule,
    coalesce(measured.estimated_rows, 0) AS estimated_rows,
    measured.table_bytes,
    measured.index_bytes,
    measured.partitions,
    (SELECT pg_catalog.string_agg(pa.attname, ', ' ORDER BY pa.attnum)
     FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_attribute pa ON pa.attrelid = i.indrelid AND pa.attnum = ANY (i.indkey::smallint[])
     WHERE i.indrelid = target.oid AND i.indisprimary) AS primary_key,
    -- the text
    coalesce(x.full_type, CASE WHEN :'content_expression' <> '' THEN 'text' END) AS content_type,
    -- the embedding
    CASE WHEN e.is_pgvectors AND e.typname !~ '^_' THEN e.typname || coalesce('(' || nullif(e.atttypmod, -1) || ')', '') ELSE e.full_type END
        AS embedding_full_type,
    e.typname AS embedding_type,
    e.type_schema AS embedding_type_schema,
    e.is_pgvectors AS embedding_is_pgvectors,
    pg_catalog.quote_ident(e.type_schema) || '.' || pg_catalog.quote_ident(e.typname) AS vector_type,
    CASE e.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END AS storage,
    CASE e.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE 'default' END AS compression,
    CASE WHEN e.atttypmod > 0 THEN e.atttypmod END AS typmod,
    e.attnotnull AS embedding_not_null,
    e.attgenerated <> '' AS embedding_generated,
    e.attinhcount > 0 AS embedding_inherited,
    EXISTS (
        SELECT FROM pg_catalog.pg_attrdef d
        WHERE d.adrelid = target.oid AND d.adnum = e.attnum AND e.attgenerated = '') AS embedding_default,
    EXISTS (
        SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typname = 'halfvec' AND n.nspname = e.type_schema) AS halfvec_exists,
    -- The names are made from the target and are the same in every run, so that what a dead run left is found again.
    'stage_' || names.suffix AS staging_table,
    'staged_embedding_' || names.suffix AS lookup_function,
    'embedding_' || names.suffix AS new_column,
    'former_embedding_' || names.suffix AS kept_column,
    EXISTS (SELECT FROM columns c WHERE c.attname = 'embedding_' || names.suffix) AS new_column_exists,
    EXISTS (SELECT FROM columns c WHERE c.attname = 'former_embedding_' || names.suffix) AS kept_column_exists,
    'kept_' || names.suffix AS kept_table,
    'changed_' || names.suffix AS changed_table,
    'outdated_' || names.suffix AS outdated_table,
    'note_changed_' || names.suffix AS track_function,
    'vestige_sql_note_inserted_' || names.suffix AS insert_trigger,
    'vestige_sql_note_updated_' || names.suffix AS update_trigger,
    'forget_stale_' || names.suffix AS keep_function,
    -- Triggers fire in the order of their names, and this name comes after the others.
    'zz_vestige_sql_forget_stale_' || names.suffix AS keep_trigger,
    -- where the signature is kept
    CASE
        WHEN target.relname = 'knowledge_nodes' AND :'embedding_column' = 'embedding'
            AND pg_catalog.to_regclass(pg_catalog.format('%I.embedding_model', target.nspname)) IS NOT NULL THEN 'vestige'
        WHEN pg_catalog.to_regclass('vestige_sql.model') IS NOT NULL THEN 'package'
        ELSE 'none'
    END AS registry,
    (SELECT pg_catalog.string_agg(p.pubname, ', ' ORDER BY p.pubname)
     FROM pg_catalog.pg_publication_tables p
     WHERE p.schemaname = target.nspname AND p.tablename = target.relname) AS publications
FROM target
CROSS JOIN measured
CROSS JOIN LATERAL (
    SELECT pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
        pg_catalog.format('%I.%I.%I', target.nspname, target.relname, :'embedding_column'::text), 'UTF8')), 'hex'), 16)
) AS names (suffix)
LEFT JOIN columns x ON x.attname::text = :'content_column'
LEFT JOIN columns e ON e.attname::text = :'embedding_column';
