-- Say how much memory the next build of each HNSW index needs, where the server's settings do not give it.
--
-- Per row the graph takes the vector, 2 m neighbours of 16 bytes and about 192 bytes besides. A tenth is added. These are the sizes of
-- index/create/10_set_build_limits.sql, which sets the memory for the package's own builds: up to a quarter of effective_cache_size.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    estimated_rows, embedding_column, oid

WITH server AS (
    SELECT
        (SELECT setting::bigint * 1024 FROM pg_catalog.pg_settings WHERE name = 'maintenance_work_mem') AS work_bytes,
        (SELECT setting::bigint * current_setting('block_size')::bigint / 4 FROM pg_catalog.pg_settings
         WHERE name = 'effective_cache_size') AS allowed_bytes
),
builds AS (
    SELECT
        format('index %I.%I', n.nspname, c.relname) AS name,
        (:estimated_rows * (
            8 + coalesce(nullif(k.atttypmod, -1), nullif(a.atttypmod, -1)) * CASE kt.typname WHEN 'halfvec' THEN 2 ELSE 4 END
            + 16 * 2 * coalesce(substring(array_to_string(c.reloptions, ' ') FROM '\mm ?= ?(\d+)')::bigint, 16)
            + 192) * 1.1)::bigint AS needed_bytes
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname = 'hnsw'
    JOIN pg_catalog.pg_attribute k ON k.attrelid = c.oid AND k.attnum = 1
    JOIN pg_catalog.pg_type kt ON kt.oid = k.atttypid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    WHERE i.indrelid = :oid::oid AND kt.typname IN ('vector', 'halfvec')
      AND EXISTS (
          SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum)
)
SELECT
    'build_memory' AS code,
    CASE WHEN b.needed_bytes > s.allowed_bytes THEN 'warning' ELSE 'note' END AS severity,
    b.name AS object,
    format('the next build of %s needs about %s; maintenance_work_mem is %s, and a quarter of effective_cache_size %s', b.name,
        pg_size_pretty(b.needed_bytes), pg_size_pretty(s.work_bytes), pg_size_pretty(s.allowed_bytes)) AS what,
    'Once the graph has outgrown its memory, the build goes on several times slower. The package''s own builds take up to a quarter of '
        'effective_cache_size; other builds take maintenance_work_mem.' AS why,
    CASE WHEN b.needed_bytes > s.allowed_bytes THEN format('give the run more, if the server has it: --index-memory %s', ceil(b.needed_bytes / 1048576.0))
        ELSE format('before a build of your own: SET maintenance_work_mem = ''%sMB'';', ceil(b.needed_bytes / 1048576.0)) END AS "do"
FROM builds b
CROSS JOIN server s
WHERE b.needed_bytes > s.work_bytes
ORDER BY b.name;
