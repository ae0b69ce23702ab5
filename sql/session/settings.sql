-- Show the settings of the session that a run changes, as they are.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT s.name, pg_catalog.current_setting(s.name) AS value
FROM pg_catalog.pg_settings s
-- This is asked before the search_path is pinned.
WHERE s.name OPERATOR(pg_catalog.=) ANY (ARRAY[
    'search_path', 'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout',
    'lock_timeout', 'row_security', 'default_tablespace', 'standard_conforming_strings', 'quote_all_identifiers',
    'client_min_messages', 'maintenance_work_mem', 'max_parallel_maintenance_workers', 'min_parallel_table_scan_size'
]);
