-- List the step files that a run has run, each with the SHA-256 that it had the last time.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    run_id

SELECT DISTINCT ON (s.file) s.file, s.sha256
FROM vestige_sql.step s
WHERE s.run_id = :run_id
ORDER BY s.file, s.id DESC;
