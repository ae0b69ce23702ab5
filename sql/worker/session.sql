-- Let this session see by policies which rows of the package's are its own, and have it write every key as the same text.
--
-- A target that hides rows from the role is refused before this.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it sets the same values
-- Undo:         ends with the session
-- Variables:    none

SELECT
    pg_catalog.set_config('row_security', 'on', false) AS row_security,
    pg_catalog.set_config('DateStyle', 'ISO, YMD', false) AS date_style,
    pg_catalog.set_config('IntervalStyle', 'postgres', false) AS interval_style,
    pg_catalog.set_config('TimeZone', 'UTC', false) AS time_zone,
    pg_catalog.set_config('extra_float_digits', '1', false) AS float_digits,
    pg_catalog.set_config('bytea_output', 'hex', false) AS bytea_output;
