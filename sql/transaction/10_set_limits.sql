-- Lift time limits, let no row security filter, and read strings as the steps do, to the end of the caller's transaction.
--
-- This is session/10_set_limits.sql for a migration tool's connection, which goes on with its own settings afterwards.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same values
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT s.name, pg_catalog.set_config(s.name, w.value, true) AS value
FROM (VALUES
    ('statement_timeout', '0'),
    ('transaction_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'),
    ('row_security', 'off'),
    ('default_tablespace', ''),
    ('standard_conforming_strings', 'on'),
    ('quote_all_identifiers', 'off')
) AS w (name, value)
-- Not every server has each of them.
JOIN pg_catalog.pg_settings s ON s.name OPERATOR(pg_catalog.=) w.name;
