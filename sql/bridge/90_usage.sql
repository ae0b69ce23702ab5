-- Count the vectors that went through a map, and the maps from or to a former model, which finalize/ drops.
--
-- The server counts the calls of a function where track_functions is pl or all, over all tables of the database, since its statistics
-- were last reset. calls is NULL where it counts none. run_id is the run under which the last of these maps was made.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid, embedding_column, schema, table

WITH stays AS (
    SELECT m.model_name AS name, m.dimension, m.model_hash AS hash
    FROM vestige_sql.registered_model(:oid::oid::regclass, :'embedding_column') AS m
    UNION ALL
    SELECT r.to_name, r.to_dimension, r.to_hash
    FROM vestige_sql.run r
    WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
      AND r.state IN ('staging', 'filling')
)
SELECT
    count(*) AS maps,
    max(b.run_id) AS run_id,
    current_setting('track_functions') IN ('pl', 'all') AS is_counted,
    CASE WHEN current_setting('track_functions') IN ('pl', 'all') THEN (
        SELECT coalesce(sum(f.calls), 0)::bigint
        FROM pg_catalog.pg_stat_user_functions f
        WHERE f.schemaname = 'vestige_sql' AND f.funcname = 'bridge_through')
    END AS calls,
    (SELECT d.stats_reset FROM pg_catalog.pg_stat_database d WHERE d.datname = current_database()) AS since
FROM vestige_sql.bridge b
WHERE b.table_schema = :'schema' AND b.table_name = :'table' AND b.column_name = :'embedding_column' AND b.dropped_at IS NULL
  AND NOT (
      EXISTS (SELECT FROM stays s WHERE (s.name, s.dimension, s.hash) = (b.from_name, b.from_dimension, b.from_hash))
      AND EXISTS (SELECT FROM stays s WHERE (s.name, s.dimension, s.hash) = (b.to_name, b.to_dimension, b.to_hash)));
