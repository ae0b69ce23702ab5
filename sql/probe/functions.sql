-- Find the functions that are not what their files make.
--
-- Such a function is new, has another text than the database remembers, or is gone. function_files is the output of sha256sum
-- over the files of sql/functions.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    function_files

SELECT file.found[2] AS name
FROM pg_catalog.regexp_matches(:'function_files', '([0-9a-f]{64}) [ *](?:[^\n]*/)?(\w+)\.sql', 'g') AS file (found)
LEFT JOIN vestige_sql.function_file f ON f.name = file.found[2]
WHERE f.sha256 IS DISTINCT FROM file.found[1]
   OR NOT EXISTS (
       SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
       WHERE n.nspname = 'vestige_sql' AND p.proname = file.found[2])
ORDER BY name;
