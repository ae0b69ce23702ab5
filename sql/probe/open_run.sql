-- Show the run that is not finished, if there is one, and whether its staging table is there.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    staging_table, new_column, changed_table, schema, table, embedding_column

SELECT
    r.id, r.scope, r.state, r.to_name AS name, r.to_dimension AS dimension, r.to_hash AS hash,
    r.way, r.rows_total, r.rows_written, r.rows_blank, r.rows_filled, r.verified_at, r.duration_secs,
    -- A table that was written anew since is not verified any more.
    coalesce(r.verified_file = pg_catalog.pg_relation_filenode(
        pg_catalog.to_regclass(pg_catalog.format('%I.%I', r.table_schema, r.table_name))), false) AS verified,
    r.started_at, r.applied_at, r.last_error, r.package_version, r.row_filter,
    -- NULL where a plain script began the run
    r.variables ->> 'id_column' AS id_column, r.variables ->> 'content_column' AS content_column,
    coalesce(r.variables ->> 'content_expression', '') AS content_expression,
    pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'staging_table'::text)) IS NOT NULL AS staging_exists,
    -- what an online run has made, and somebody dropped by hand
    CASE r.state WHEN 'filling' THEN pg_catalog.concat_ws(', ',
        CASE WHEN NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', r.table_schema, r.table_name))
              AND a.attname = :'new_column' AND NOT a.attisdropped)
        THEN pg_catalog.format('its column %I', :'new_column'::text) END,
        CASE WHEN pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'changed_table'::text)) IS NULL
        THEN pg_catalog.format('the table vestige_sql.%I', :'changed_table'::text) END
    ) ELSE '' END AS gone
FROM vestige_sql.run r
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state IN ('staging', 'filling', 'applied');
