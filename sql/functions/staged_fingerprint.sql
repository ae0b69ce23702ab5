-- Return the fingerprint of a staging table: the number of its rows, and a sum over the hashes of key, text and vector of each.
--
-- The sum is the same in whatever order the rows lie. The hash functions are those of hash partitions, so they stay the same
-- from version to version. It is NULL for a table that is not there.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.staged_fingerprint(p_staging regclass)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_fingerprint text;
BEGIN
    IF p_staging IS NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format(
        'SELECT format(''%%s:%%s'', count(*), coalesce(sum('
        '  hash_array_extended(s.embedding::real[], hashtextextended(s.id::text || '' '' || encode(s.content_hash, ''hex''), 0))), 0))'
        ' FROM %s s', p_staging)
    INTO v_fingerprint;
    RETURN v_fingerprint;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.staged_fingerprint FROM PUBLIC;
