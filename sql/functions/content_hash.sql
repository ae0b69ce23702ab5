-- Return what a staged vector remembers of its text: the SHA-256 of the text.
--
-- md5 fails on FIPS builds.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.content_hash(p_text text)
RETURNS bytea
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN pg_catalog.sha256(pg_catalog.convert_to(p_text, 'UTF8'));

REVOKE ALL ON FUNCTION vestige_sql.content_hash FROM PUBLIC;
