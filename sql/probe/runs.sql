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
    (SELECT count(*) FROM vestige_sql.step s WHERE s.run_id = r.id) AS steps
FROM vestige_sql.run r
ORDER BY r.id DESC
LIMIT :last_runs;
