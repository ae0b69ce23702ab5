-- Lift the session's time limits and let no row security filter what is read.
--
-- A statement_timeout or an idle timeout of the role would end a run that is meant to take hours, and its lock_timeout
-- would leave an INVALID index behind CREATE INDEX CONCURRENTLY; the steps of lock/ set their own. With row_security off
-- a query that a policy would filter fails instead of skipping rows. Indexes go where their definition says, and
-- transactions see every row that is committed, whatever the role's default is. Keys that are written as text in one
-- session are read as the same keys in another, on whichever machine. Strings and names are read and written as the steps
-- expect them, backslashes and quotes above all.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it sets the same values
-- Undo:         ends with the session
-- Variables:    none

SELECT
    s.name,
    pg_catalog.set_config(s.name, CASE s.name
        WHEN 'row_security' THEN 'off'
        WHEN 'default_tablespace' THEN ''
        WHEN 'default_transaction_isolation' THEN 'read committed'
        WHEN 'DateStyle' THEN 'ISO, YMD'
        WHEN 'IntervalStyle' THEN 'postgres'
        WHEN 'extra_float_digits' THEN '1'
        WHEN 'standard_conforming_strings' THEN 'on'
        WHEN 'quote_all_identifiers' THEN 'off'
        ELSE '0' END, false)
        AS value
FROM pg_catalog.pg_settings s
WHERE s.name IN (
    'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
    'lock_timeout', 'row_security', 'default_tablespace', 'default_transaction_isolation',
    'DateStyle', 'IntervalStyle', 'extra_float_digits', 'standard_conforming_strings', 'quote_all_identifiers'
);
