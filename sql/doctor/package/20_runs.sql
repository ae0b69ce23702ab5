-- Name the run that is open for the column, the indexes that are still to be built, and the former vectors that are kept.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT
    'open_run' AS code,
    CASE WHEN r.last_error IS NOT NULL THEN 'warning' ELSE 'note' END AS severity,
    x."column" AS object,
    format('run %s to %s is open (%s) since %s%s', r.id, r.to_name, r.state, r.started_at::date, '; it was stopped by: ' || r.last_error) AS what,
    'What it has made takes room until it ends, and no other run can begin on the column.' AS why,
    'vestige-sql migrate status says what is left; vestige-sql migrate abort takes it back' AS "do"
FROM vestige_sql.run r
CROSS JOIN (SELECT format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS "column") AS x
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state IN ('staging', 'filling', 'applied')
UNION ALL
SELECT
    'index_to_build', 'warning', format('index %I.%I', s.table_schema, s.index_name),
    format('index %I.%I is still to be built', s.table_schema, s.index_name),
    'The run that dropped it came to no end. Until it is built, searches may scan the table.',
    'vestige-sql migrate reembed again, with the same model: it builds the index alone'
FROM vestige_sql.saved_index s
WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column' AND s.built_as = s.index_name
  AND NOT EXISTS (
      SELECT FROM vestige_sql.run r
      WHERE r.table_schema = s.table_schema AND r.table_name = s.table_name AND r.column_name = s.column_name AND r.state = 'filling')
UNION ALL
SELECT
    'kept_vectors', 'note', format('%I.%I.%I', k.table_schema, k.table_name, k.column_name),
    format('the vectors of %s are kept, in a %s, since %s', coalesce(k.model_name, 'no registered model'), k.place, k.kept_at::date),
    'They take as much room as the live ones, until you let go of them.',
    'vestige-sql migrate finalize drops them; vestige-sql migrate rollback goes back to them'
FROM vestige_sql.kept k
WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column'
ORDER BY 1, 3;
