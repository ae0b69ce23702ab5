-- Drop the functions that the steps call.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0002_functions.sql

-- squawk-ignore-file ban-drop-function -- that is what it is for, at a person's word
-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- functions are dropped without waiting for anybody
DROP FUNCTION IF EXISTS vestige_sql.require(boolean, text, text);
DROP FUNCTION IF EXISTS vestige_sql.has_text(text);
DROP FUNCTION IF EXISTS vestige_sql.content_hash(text);
DROP FUNCTION IF EXISTS vestige_sql.index_recall(regclass, name, integer, integer);
DROP FUNCTION IF EXISTS vestige_sql.swap_indexes(regclass, name, name);
DROP FUNCTION IF EXISTS vestige_sql.index_definitions(regclass, name, integer, name);
DROP FUNCTION IF EXISTS vestige_sql.other_index_name(text);
DROP FUNCTION IF EXISTS vestige_sql.rename_column(text, name, name);
DROP FUNCTION IF EXISTS vestige_sql.column_properties(regclass, name, name);
DROP FUNCTION IF EXISTS vestige_sql.column_grants(regclass, name, name);
DROP FUNCTION IF EXISTS vestige_sql.registered_model(regclass, name);
DROP FUNCTION IF EXISTS vestige_sql.registry_of(regclass, name);
DROP FUNCTION IF EXISTS vestige_sql.set_model(regclass, name, text, integer, text);
