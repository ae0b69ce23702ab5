-- Find the former vectors of this table that are kept under another name.
--
-- That name is the former one of the table, of its schema or of its embedding column. variables are the step variables of then.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid, embedding_column, schema, table

SELECT k.place, k.model_name AS name, k.dimension, k.model_hash AS hash, k.run_id, k.kept_at, r.variables,
    -- Somebody may have dropped them by hand.
    CASE k.place
        WHEN 'column' THEN EXISTS (
            SELECT
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = k.table_oid AND a.attname = r.variables ->> 'kept_column' AND NOT a.attisdropped)
        ELSE pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', r.variables ->> 'kept_table')) IS NOT NULL
    END AS is_there
FROM vestige_sql.kept k
JOIN vestige_sql.run r ON r.id = k.run_id
JOIN vestige_sql.home h ON h.id = k.home AND h.place = h.tableoid AND h.written_by = h.xmin
WHERE k.table_oid = :oid
  AND (k.column_name = :'embedding_column' OR NOT EXISTS (
      SELECT
      FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = k.table_oid AND a.attname = k.column_name AND NOT a.attisdropped))
  AND ((k.table_schema, k.table_name) IS DISTINCT FROM (:'schema'::text, :'table'::text)
      OR NOT EXISTS (
          SELECT
          FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = k.table_oid AND a.attname = k.column_name AND NOT a.attisdropped))
ORDER BY k.run_id
LIMIT 1;
