-- Stop the transaction unless the last judging of an open run says GO, where a verdict is required.
--
-- The policy of vestige_sql.judging decides whether the role sees the verdict.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.check_verdict(p_required boolean, p_schema text, p_table text, p_column text)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $function$
DECLARE
    v_judging bigint;
    v_verdict text;
BEGIN
    IF NOT p_required THEN
        RETURN;
    END IF;
    SELECT j.id, j.verdict INTO v_judging, v_verdict
    FROM vestige_sql.run r
    JOIN vestige_sql.judging j ON j.run_id = r.id
        AND j.table_schema = r.table_schema AND j.table_name = r.table_name AND j.column_name = r.column_name
    WHERE r.table_schema = p_schema AND r.table_name = p_table AND r.column_name = p_column AND r.state IN ('staging', 'filling')
    ORDER BY j.id DESC
    LIMIT 1;
    PERFORM vestige_sql.require(
        v_verdict IS NOT DISTINCT FROM 'GO',
        format('a verdict of GO is required before the switch, and the last judging of %I.%I.%I (%s) says %s; search goes on in the former vectors',
            p_schema, p_table, p_column, coalesce(v_judging::text, 'there is none'), coalesce(v_verdict, 'nothing')),
        'the second column is ready to be judged through its index: run vestige-sql migrate judge, then the same command again, or '
            'vestige-sql migrate abort');
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.check_verdict FROM PUBLIC;
