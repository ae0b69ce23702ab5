-- Show the verdicts on a column's staged vectors, the latest first.
--
-- Only who may read the whole table sees them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT j.id, j.run_id, j.verdict, j.reasons, j.rules, j.to_name AS name, j.to_dimension AS dimension, j.to_hash AS hash,
    j.place, j.questions, j.asked_by, j.fingerprint, j.settings, j.started_at, j.finished_at, j.started_by
FROM vestige_sql.judging j
WHERE j.table_schema = :'schema' AND j.table_name = :'table' AND j.column_name = :'embedding_column'
ORDER BY j.id DESC;
