-- Return what an index is called while its name belongs to the other column's index.
--
-- Before an online switch that is the new index, and after it the former one.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.other_index_name(p_index text)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN 'reembed_' OPERATOR(pg_catalog.||) pg_catalog.left(
    pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p_index, 'UTF8')), 'hex'), 16);

REVOKE ALL ON FUNCTION vestige_sql.other_index_name FROM PUBLIC;
