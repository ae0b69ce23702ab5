-- Return a row's metadata: its own, and the columns that have no place, under their names.
--
-- The name metadata keeps what a column would overwrite, and metadata that is no object.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.merged_metadata(p_metadata text, p_columns text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_columns jsonb := coalesce(vestige_sql.read_json(p_columns), '{}');
    v_metadata jsonb := vestige_sql.read_json(p_metadata);
    v_overwritten jsonb;
BEGIN
    IF v_metadata IS NULL THEN
        RETURN v_columns;
    ELSIF jsonb_typeof(v_metadata) <> 'object' THEN
        RETURN v_columns || jsonb_build_object('metadata', v_metadata);
    END IF;
    SELECT jsonb_object_agg(m.key, m.value) INTO v_overwritten
    FROM jsonb_each(v_metadata) AS m
    WHERE v_columns ? m.key AND v_columns -> m.key <> m.value;
    RETURN v_metadata || v_columns
        || CASE WHEN v_overwritten IS NULL THEN '{}' ELSE jsonb_build_object('metadata', v_overwritten) END;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.merged_metadata FROM PUBLIC;
