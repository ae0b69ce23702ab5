-- Find the run under way on this table that was begun under another name.
--
-- That name is the former one of the table, of its schema or of its embedding column. It may be gone, or another table's by now.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid, embedding_column, schema, table

SELECT
    r.id, r.state, r.to_name AS name, r.to_dimension AS dimension, r.to_hash AS hash, r.variables,
    pg_catalog.format('%I.%I.%I', r.table_schema, r.table_name, r.column_name) AS "column",
    vestige_sql.checked_author(r.started_by, :oid::regclass) AS started_by
FROM vestige_sql.run r
WHERE r.state IN ('staging', 'filling')
  AND r.table_oid = :oid
  AND EXISTS (SELECT FROM vestige_sql.home h WHERE h.id = r.home AND h.place = h.tableoid AND h.written_by = h.xmin)
  AND (r.column_name = :'embedding_column' OR NOT EXISTS (
      SELECT
      FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = r.table_oid AND a.attname = r.column_name AND NOT a.attisdropped))
  AND ((r.table_schema, r.table_name) IS DISTINCT FROM (:'schema'::text, :'table'::text)
      OR NOT EXISTS (
          SELECT
          FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = r.table_oid AND a.attname = r.column_name AND NOT a.attisdropped))
ORDER BY r.id
LIMIT 1;
