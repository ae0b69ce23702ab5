-- Lift the session's time limits and let no row security filter what is read.
--
-- A statement_timeout or an idle timeout of the role would end a run that is meant to take hours. The role's lock_timeout
-- would leave an INVALID index behind CREATE INDEX CONCURRENTLY. The steps of lock/ set their own. With row_security off, a
-- query that a policy would filter fails instead of skipping rows.
--
-- Whatever the role's default is, indexes go where their definition says, and transactions see every row that is committed.
-- Keys that one session writes as text are read as the same keys in another, on whichever machine. Strings and names are read
-- and written as the steps expect them, backslashes and quotes above all.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it sets the same values
-- Undo:         ends with the session
-- Variables:    none

SELECT s.name, pg_catalog.set_config(s.name, w.value, false) AS value
FROM (VALUES
    ('statement_timeout', '0'),
    ('transaction_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'),
    ('idle_session_timeout', '0'),
    ('lock_timeout', '0'),
    ('row_security', 'off'),
    ('default_tablespace', ''),
    ('default_transaction_isolation', 'read committed'),
    ('DateStyle', 'ISO, YMD'),
    ('IntervalStyle', 'postgres'),
    ('extra_float_digits', '1'),
    ('standard_conforming_strings', 'on'),
    ('quote_all_identifiers', 'off')
) AS w (name, value)
-- Not every server has each of them.
JOIN pg_catalog.pg_settings s ON s.name OPERATOR(pg_catalog.=) w.name;
