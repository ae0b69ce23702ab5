-- Remember the text of each function, by the SHA-256 of its file.
--
-- function_files is the output of sha256sum over the files of sql/functions.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, what is remembered already stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    function_files

INSERT INTO vestige_sql.function_file AS f (name, sha256)
SELECT file.found[2], file.found[1]
FROM pg_catalog.regexp_matches(:'function_files', '([0-9a-f]{64}) [ *](?:[^\n]*/)?(\w+)\.sql', 'g') AS file (found)
ON CONFLICT (name) DO UPDATE
SET sha256 = excluded.sha256,
    applied_at = excluded.applied_at
WHERE f.sha256 IS DISTINCT FROM excluded.sha256;
