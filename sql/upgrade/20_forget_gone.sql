-- Forget the functions that have no file any more.
--
-- function_files is the output of sha256sum over the files of sql/functions.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it finds none that is left
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    function_files

DELETE FROM vestige_sql.function_file f
WHERE f.name NOT IN (
    SELECT file.found[2]
    FROM pg_catalog.regexp_matches(:'function_files', '([0-9a-f]{64}) [ *](?:[^\n]*/)?(\w+)\.sql', 'g') AS file (found));
