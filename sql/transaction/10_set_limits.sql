-- Lift the time limits, let no row security filter what is read, and read strings as the steps do, to the end of the
-- caller's transaction.
--
-- As session/10_set_limits.sql, for a migration tool's connection, which goes on with its own settings afterwards.
--
-- Locks:        none on the target
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it sets the same values
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT
    s.name,
    pg_catalog.set_config(s.name, CASE s.name
        WHEN 'row_security' THEN 'off'
        WHEN 'default_tablespace' THEN ''
        WHEN 'standard_conforming_strings' THEN 'on'
        WHEN 'quote_all_identifiers' THEN 'off'
        ELSE '0' END, true)
        AS value
FROM pg_catalog.pg_settings s
WHERE s.name IN (
    'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'row_security', 'default_tablespace',
    'standard_conforming_strings', 'quote_all_identifiers'
);
