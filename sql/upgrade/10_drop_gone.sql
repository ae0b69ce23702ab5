-- Drop the functions that an earlier version had a file for and this version has not.
--
-- function_files is the output of sha256sum over the files of sql/functions. A function that something of yours depends on
-- stops the step, which then names what depends on it.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it finds none that is left
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    function_files

-- squawk-ignore-file ban-drop-function -- the step is there to drop functions, and nothing of this version calls them
-- squawk-ignore-file require-lock-timeout -- functions are dropped without a wait for anybody
SELECT pg_catalog.format('DROP FUNCTION IF EXISTS vestige_sql.%I', f.name)
FROM vestige_sql.function_file f
WHERE f.name NOT IN (
    SELECT file.found[2]
    FROM pg_catalog.regexp_matches(:'function_files', '([0-9a-f]{64}) [ *](?:[^\n]*/)?(\w+)\.sql', 'g') AS file (found))
ORDER BY f.name \gexec
