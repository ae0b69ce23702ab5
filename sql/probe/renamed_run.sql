-- Find the run under way on this table that was begun under a name that is gone.
--
-- That name is the former one of the table, of its schema or of its embedding column.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid

SELECT
    r.id, r.state, r.to_name AS name, r.to_dimension AS dimension, r.to_hash AS hash, r.variables,
    pg_catalog.format('%I.%I.%I', r.table_schema, r.table_name, r.column_name) AS "column",
    vestige_sql.checked_author(r.started_by, :oid::regclass) AS started_by
FROM vestige_sql.run r
WHERE r.state IN ('staging', 'filling')
  AND r.variables ->> 'oid' = :oid::text
  AND NOT EXISTS (
      SELECT
      FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', r.table_schema, r.table_name))
        AND a.attname = r.column_name AND NOT a.attisdropped)
ORDER BY r.id
LIMIT 1;
