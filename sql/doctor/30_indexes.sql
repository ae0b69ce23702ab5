-- Find what is wrong with the column's vector indexes: INVALID, missing, unused, bloated, larger than the cache.
--
-- Those are HNSW and IVFFlat indexes, and those of any access method that orders by a distance of vectors.
--
-- An index is unused if nobody has searched with it for unused_days days. The statistics say so for this server alone, and since
-- their last reset. A bloated index has twice the pages that its rows need, by the sizes in pgvector's hnsw.h and ivfflat.h, and
-- a megabyte at least. effective_cache_size is the administrator's word for the memory that there is.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    embedding_column, oid, estimated_rows, unused_days

WITH target AS (
    SELECT
        c.oid, c.relkind, c.reltuples, format('%I.%I', n.nspname, c.relname) AS name,
        format('%I.%I.%I', n.nspname, c.relname, a.attname) AS "column", a.attname,
        t.typname, nullif(a.atttypmod, -1) AS dimension,
        CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_type h WHERE h.typname = 'halfvec' AND h.typnamespace = t.typnamespace)
            THEN 4000 ELSE 2000 END AS longest_indexed
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE c.oid = :oid::oid
),
indexes AS (
    SELECT
        i.indexrelid, am.amname, c.relkind, format('%I.%I', n.nspname, c.relname) AS name, i.indisvalid AND i.indisready AS is_valid,
        NOT i.indisvalid AND c.relname ~ '_cc(new|old)\d*$' AND EXISTS (
            SELECT FROM pg_catalog.pg_index o
            JOIN pg_catalog.pg_class oc ON oc.oid = o.indexrelid
            WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid
              AND starts_with(oc.relname, regexp_replace(c.relname, '_cc(new|old)\d*$', ''))
        ) AS is_left_over,
        pg_relation_size(i.indexrelid) AS bytes,
        pg_relation_size(i.indexrelid) / current_setting('block_size')::integer AS pages,
        kt.typname AS key_type,
        coalesce(nullif(k.atttypmod, -1), t.dimension) AS key_dimension,
        coalesce(substring(array_to_string(c.reloptions, ' ') FROM '\mm ?= ?(\d+)')::integer, 16) AS m,
        coalesce(substring(array_to_string(c.reloptions, ' ') FROM '\mlists ?= ?(\d+)')::integer, 100) AS lists,
        s.idx_scan,
        (to_jsonb(s) ->> 'last_idx_scan')::timestamptz AS last_scan,
        d.stats_reset,
        EXISTS (
            SELECT FROM pg_catalog.pg_stat_progress_create_index b WHERE b.index_relid = i.indexrelid OR b.relid = t.oid
        ) AS is_being_built
    FROM target t
    JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_am am ON am.oid = c.relam
    JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[0]
    JOIN pg_catalog.pg_attribute k ON k.attrelid = c.oid AND k.attnum = 1
    JOIN pg_catalog.pg_type kt ON kt.oid = k.atttypid
    LEFT JOIN pg_catalog.pg_stat_user_indexes s ON s.indexrelid = i.indexrelid
    CROSS JOIN (SELECT x.stats_reset FROM pg_catalog.pg_stat_database x WHERE x.datname = current_database()) AS d
    WHERE (
        am.amname IN ('hnsw', 'ivfflat')
        -- vestige_sql.is_vector_index() says the same, and that function may not be there yet
        OR EXISTS (
            SELECT FROM pg_catalog.pg_amop ao
            LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = ao.amoplefttype
                AND d.refclassid = 'pg_catalog.pg_extension'::regclass
            LEFT JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND x.extname = 'vector'
            WHERE ao.amopfamily = oc.opcfamily AND ao.amoppurpose = 'o'
              AND (x.oid IS NOT NULL OR ao.amoplefttype = 'bit'::regtype)))
      AND EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
          AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid AND a.attname = t.attname)
),
sized AS (
    SELECT
        i.*,
        -- a vector takes 8 bytes and 4 a dimension, a halfvec 2; a page has 8,160 bytes for items, and 4 more an item
        CASE i.amname
            WHEN 'hnsw' THEN ceil(:estimated_rows / greatest(floor(8160 / (72 + v.bytes + 4 + 4 + 2 * i.m * 6 + 16.0)), 1.0))
            WHEN 'ivfflat' THEN ceil(:estimated_rows / greatest(floor(8160 / (16 + v.bytes + 4.0)), 1.0)) + i.lists
        END AS pages_needed
    FROM indexes i
    CROSS JOIN LATERAL (SELECT 8 + i.key_dimension * CASE i.key_type WHEN 'vector' THEN 4 WHEN 'halfvec' THEN 2 END) AS v (bytes)
),
server AS (
    SELECT setting::bigint * current_setting('block_size')::bigint AS cache_bytes
    FROM pg_catalog.pg_settings WHERE name = 'effective_cache_size'
)
SELECT
    CASE WHEN i.is_left_over THEN 'left_over_index' ELSE 'invalid_index' END AS code,
    CASE WHEN i.is_left_over THEN 'warning' WHEN i.is_being_built THEN 'note' ELSE 'error' END AS severity,
    format('index %s', i.name) AS object,
    CASE WHEN i.is_left_over THEN format('index %s was left behind by a REINDEX CONCURRENTLY that failed', i.name)
        WHEN i.is_being_built THEN format('index %s is INVALID while it is built', i.name)
        ELSE format('index %s is INVALID: a concurrent build of it failed or was stopped', i.name) END AS what,
    CASE WHEN i.is_left_over THEN 'No search uses it, and each write still has to keep it up.'
        ELSE 'No search uses it, so searches may scan the table, and each write may still have to keep it up.' END AS why,
    CASE WHEN i.is_left_over THEN format('DROP INDEX CONCURRENTLY %s;', i.name)
        WHEN i.is_being_built THEN 'wait for the build: sql/probe/index_progress.sql shows how far it is'
        ELSE format('REINDEX INDEX CONCURRENTLY %s;', i.name) END AS "do"
FROM sized i
WHERE NOT i.is_valid
UNION ALL
SELECT
    'no_index',
    CASE WHEN :estimated_rows >= 10000 AND coalesce(t.dimension <= t.longest_indexed, true) THEN 'warning' ELSE 'note' END,
    t."column",
    format('%s has no vector index', t."column"),
    format('Each search reads all of the about %s rows.', ltrim(to_char(:estimated_rows, '999,999,999,999'))),
    CASE
        WHEN t.dimension > t.longest_indexed THEN format('pgvector indexes %s dimensions at most here: take a model of fewer', t.longest_indexed)
        WHEN t.dimension IS NULL THEN 'give the column a dimension first, for only such a column can be indexed: vestige-sql migrate reembed does both'
        WHEN t.relkind = 'p' THEN format('build one on each partition with CREATE INDEX CONCURRENTLY, then one ON ONLY %s, and attach them', t.name)
        WHEN t.dimension > 2000 AND t.typname = 'vector' THEN
            format('CREATE INDEX CONCURRENTLY ON %s USING hnsw ((%I::halfvec(%s)) halfvec_cosine_ops);', t.name, t.attname, t.dimension)
        ELSE format('CREATE INDEX CONCURRENTLY ON %s USING hnsw (%I %s_cosine_ops);', t.name, t.attname, t.typname) END
FROM target t
WHERE NOT EXISTS (SELECT FROM indexes)
UNION ALL
SELECT
    'unused_index',
    -- Without a date of the last search or reset nobody knows how long it is.
    CASE WHEN coalesce(i.last_scan, i.stats_reset) < now() - :unused_days * interval '1 day' THEN 'warning' ELSE 'note' END,
    format('index %s', i.name),
    CASE
        WHEN i.last_scan IS NOT NULL THEN format('nobody has searched with index %s (%s) since %s', i.name, pg_size_pretty(i.bytes), i.last_scan::date)
        ELSE format('nobody has searched with index %s (%s) since %s', i.name, pg_size_pretty(i.bytes),
            coalesce(i.stats_reset::date::text, 'the statistics began, whose date the server does not say')) END,
    'It takes room and slows writes. Perhaps the queries use another operator than the index, or filter so that the planner does without. '
        'The count is of this server alone: a replica that searches has its own.',
    format('look at a query of yours with EXPLAIN; if nothing needs the index: DROP INDEX CONCURRENTLY %s;', i.name)
FROM sized i
WHERE i.is_valid AND i.relkind = 'i'
  AND (i.idx_scan = 0 OR i.last_scan < now() - :unused_days * interval '1 day')
UNION ALL
SELECT
    'bloated_index',
    CASE WHEN i.bytes >= 100 * 1048576 THEN 'warning' ELSE 'note' END,
    format('index %s', i.name),
    format('index %s has %s, and its rows need about %s', i.name, pg_size_pretty(i.bytes),
        pg_size_pretty((i.pages_needed * current_setting('block_size')::integer)::bigint)),
    'Rows that are gone or were written anew leave their places behind. Searches and memory pay for them.',
    format('REINDEX INDEX CONCURRENTLY %s; a re-embedding builds it anew as well', i.name)
FROM sized i
CROSS JOIN target t
WHERE i.is_valid AND i.relkind = 'i' AND t.reltuples >= 0
  AND i.bytes >= 1048576 AND i.pages > 2 * i.pages_needed
UNION ALL
SELECT
    'oversized_index', 'warning', format('index %s', i.name),
    format('index %s has %s, and effective_cache_size is %s', i.name, pg_size_pretty(i.bytes), pg_size_pretty(v.cache_bytes)),
    'A search of HNSW reads pages all over the index. It is slow where they do not stay in memory.',
    'give the server more memory, or effective_cache_size its true value; or take vectors of half the size (halfvec), or of fewer dimensions'
FROM sized i
CROSS JOIN server v
WHERE i.is_valid AND i.relkind = 'i' AND i.bytes > v.cache_bytes
ORDER BY 1, 3;
