-- Give the session what the index build needs: memory for the whole graph, and parallel workers.
--
-- Per row the graph takes the vector, 2 m neighbours of 16 bytes and about 192 bytes besides. These sizes are those of
-- HnswElementData and HnswNeighborArray in pgvector's hnsw.h. A tenth is added.
--
-- The build gets up to a quarter of effective_cache_size, the administrator's own word for the memory there is. It never
-- gets less than maintenance_work_mem is now. Nor does it get less than 32 MB a participant, below which the server starts
-- no worker. index_memory_kb is another limit, NULL for this one.
--
-- Vectors above about 2 kB lie in the TOAST table, so the heap looks too small for a parallel scan.
-- min_parallel_table_scan_size = 0 lets workers start all the same.
--
-- Parallel builds of HNSW indexes are faulty in pgvector 0.6.0 to 0.8.1 (CVE-2026-3172, probe/pgvector_faults.sql). There are no
-- workers there, whatever index_workers says.
--
-- Below 1,000 rows there are no workers, unless index_workers names a number. To start them and their shared memory takes 40 to
-- 70 ms, and to build such an index alone takes no longer (bench/small_index.py).
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it sets the same values
-- Undo:         ends with the session
-- Variables:    dimension, embedding_type, schema, table, index_column, index_workers, index_memory_kb

WITH graph AS (
    SELECT
        -- a vector takes 8 bytes for its header and 4 bytes a dimension, a halfvec 2
        t.rows_indexed * (
            8 + :dimension * CASE :'embedding_type' WHEN 'halfvec' THEN 2 ELSE 4 END
            + 16 * 2 * (SELECT coalesce(max(substring(s.definition FROM '\mm ?= ?(\d+)')::integer), 16)
                        FROM vestige_sql.saved_index s
                        WHERE s.table_schema = :'schema' AND s.table_name = :'table')
            + 192
        ) * 11 / 10 / 1024 AS needed_kb,
        t.rows_indexed
    FROM (
        -- each partition has an index of its own, and they are built one after another
        SELECT coalesce(max(p.vectors), 0) AS rows_indexed
        FROM (SELECT count(t.:"index_column") AS vectors FROM :"schema".:"table" t GROUP BY t.tableoid) AS p
    ) AS t
),
server AS (
    SELECT
        (SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'maintenance_work_mem') AS memory_kb,
        (SELECT setting::bigint * 8 / 4 FROM pg_catalog.pg_settings WHERE name = 'effective_cache_size') AS allowed_kb,
        CASE
            WHEN EXISTS (
                SELECT FROM pg_catalog.pg_extension e
                WHERE e.extname = 'vector'
                  AND string_to_array(substring(e.extversion FROM '^\d+(?:\.\d+)*'), '.')::integer[] >= '{0,6,0}'
                  AND string_to_array(substring(e.extversion FROM '^\d+(?:\.\d+)*'), '.')::integer[] < '{0,8,2}')
            THEN 0
            ELSE coalesce(:index_workers::integer, CASE WHEN graph.rows_indexed < 1000 THEN 0 END, greatest(
                pg_catalog.current_setting('max_parallel_maintenance_workers')::integer,
                pg_catalog.current_setting('max_parallel_workers')::integer / 2))
        END AS workers
    FROM graph
),
chosen AS (
    SELECT
        least(greatest(graph.needed_kb, least_kb.least_kb), most_kb.most_kb) AS memory_kb,
        most_kb.most_kb,
        graph.needed_kb,
        graph.rows_indexed,
        server.workers
    FROM graph
    CROSS JOIN server
    CROSS JOIN LATERAL (SELECT greatest(server.memory_kb, 32 * 1024 * (server.workers + 1)) AS least_kb) AS least_kb
    CROSS JOIN LATERAL (
        SELECT least(coalesce(:index_memory_kb::bigint, greatest(server.allowed_kb, least_kb.least_kb)), 2147483647) AS most_kb
    ) AS most_kb
)
SELECT
    needed_kb,
    rows_indexed,
    memory_kb,
    most_kb,
    pg_catalog.set_config('maintenance_work_mem', memory_kb || 'kB', false) AS maintenance_work_mem,
    -- pgvector sends a notice when the graph has outgrown maintenance_work_mem
    pg_catalog.set_config('client_min_messages', 'notice', false) AS client_min_messages,
    pg_catalog.set_config('max_parallel_maintenance_workers', workers::text, false) AS max_parallel_maintenance_workers,
    pg_catalog.set_config('min_parallel_table_scan_size', '0', false) AS min_parallel_table_scan_size
FROM chosen;
