-- Drop the functions that read what SQLite keeps as text.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0003_copy.sql

-- squawk-ignore-file ban-drop-function -- that is what it is for, at a person's word
-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- functions are dropped without waiting for anybody
DROP FUNCTION IF EXISTS vestige_sql.merged_metadata(text, text);
DROP FUNCTION IF EXISTS vestige_sql.complaint(text, text, text);
DROP FUNCTION IF EXISTS vestige_sql.read_uuids(text);
DROP FUNCTION IF EXISTS vestige_sql.read_texts(text);
DROP FUNCTION IF EXISTS vestige_sql.read_object(text);
DROP FUNCTION IF EXISTS vestige_sql.read_json(text);
DROP FUNCTION IF EXISTS vestige_sql.read_timestamp(text);
DROP FUNCTION IF EXISTS vestige_sql.read_integer(text);
DROP FUNCTION IF EXISTS vestige_sql.read_number(text);
DROP FUNCTION IF EXISTS vestige_sql.read_uuid(text);
