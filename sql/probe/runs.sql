-- List the last runs on any target, the newest first.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    last_runs

SELECT
    r.id, pg_catalog.format('%I.%I.%I', r.table_schema, r.table_name, r.column_name) AS target,
    r.scope, r.state, r.way, r.from_name, r.from_dimension, r.to_name, r.to_dimension,
    r.rows_written, r.duration_secs, r.index_secs, r.started_at, r.finished_at, r.last_error,
    (SELECT count(*) FROM vestige_sql.step s WHERE s.run_id = r.id) AS steps,
    -- in what precisions its vectors were computed, and with what
    (
        SELECT pg_catalog.jsonb_agg(pg_catalog.format('%s by %s', c.entry ->> 'precision', c.entry ->> 'runtime') ORDER BY c.place)
        FROM vestige_sql.encoding e
        CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(e.settings -> 'computed') WITH ORDINALITY AS c (entry, place)
        WHERE e.table_schema = r.table_schema AND e.table_name = r.table_name AND e.column_name = r.column_name
          AND e.model_name = r.to_name AND e.dimension = r.to_dimension AND e.model_hash = r.to_hash
          AND (c.entry ->> 'run')::bigint = r.id
    ) AS computed
FROM vestige_sql.run r
ORDER BY r.id DESC
LIMIT :last_runs;
