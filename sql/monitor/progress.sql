-- Show how far every open run has come: the vectors staged, and the index build that is going on.
--
-- There is no row without an open run.
--
-- share_staged is of the rows that there were when the run began. rows_filled is of an online run's second column. HNSW counts
-- the tuples that are in the graph, and the blocks are those of the table. pid is the session that has claimed the run, NULL
-- where the run stands still.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT pg_catalog.string_agg(pg_catalog.format(
    $query$SELECT r.id AS run, %L AS target, r.to_name AS model, r.state, l.pid, r.rows_total, s.rows_staged,
    round(100.0 * s.rows_staged / nullif(r.rows_total, 0)) || '%%' AS share_staged, r.rows_filled, i.phase AS index_phase,
    round(100.0 * i.blocks_done / nullif(i.blocks_total, 0)) || '%%' AS share_of_blocks, i.tuples_done,
    r.started_at, r.last_error
FROM vestige_sql.run r
CROSS JOIN (%s) s (rows_staged)
LEFT JOIN pg_catalog.pg_stat_progress_create_index i ON i.relid = pg_catalog.to_regclass(%L)
    AND i.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
LEFT JOIN pg_catalog.pg_locks l ON l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND l.classid::bigint = (pg_catalog.hashtext('vestige_sql')::bigint & 4294967295)
    AND l.objid::bigint = (pg_catalog.hashtext(%L)::bigint & 4294967295)
WHERE r.id = %s$query$,
    o.target,
    CASE WHEN pg_catalog.to_regclass(o.staging) IS NULL THEN 'SELECT NULL::bigint' ELSE 'SELECT count(*) FROM ' || o.staging END,
    o."table", o.target, o.id
), E'\nUNION ALL\n' ORDER BY o.id)
FROM (
    SELECT
        r.id,
        pg_catalog.format('%I.%I', r.table_schema, r.table_name) AS "table",
        pg_catalog.format('%I.%I.%I', r.table_schema, r.table_name, r.column_name) AS target,
        'vestige_sql.' || pg_catalog.quote_ident(r.variables ->> 'staging_table') AS staging
    FROM vestige_sql.run r
    WHERE r.state IN ('staging', 'filling', 'applied')
) o \gexec
