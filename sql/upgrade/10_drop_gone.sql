-- Drop the functions that an earlier version had a file for, and this one has not.
--
-- function_files is what sha256sum prints of the files of sql/functions. A function with something of yours that depends on it
-- stops this with the name of that.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it finds none that is left
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    function_files

-- squawk-ignore-file ban-drop-function -- that is what it is for, and nothing of this version calls them
-- squawk-ignore-file require-lock-timeout -- functions are dropped without waiting for anybody
SELECT pg_catalog.format('DROP FUNCTION IF EXISTS vestige_sql.%I', f.name)
FROM vestige_sql.function_file f
WHERE f.name NOT IN (
    SELECT file.found[2]
    FROM pg_catalog.regexp_matches(:'function_files', '([0-9a-f]{64}) [ *](?:[^\n]*/)?(\w+)\.sql', 'g') AS file (found))
ORDER BY f.name \gexec
