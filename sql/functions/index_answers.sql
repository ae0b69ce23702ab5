-- Return the rows that a vector index finds nearest to a vector, by their keys as text, with their distances.
--
-- The index is used whatever the planner would choose, with the session's ef_search or probes. p_but is the key of a row to leave
-- out, NULL for none. A vector that is NULL finds nothing.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.index_answers(
    p_index regclass, p_key text[], p_vector real[], p_k integer, p_but text DEFAULT NULL)
RETURNS TABLE (key text, distance double precision)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
-- nor may another index find the rows, to be sorted
SET enable_seqscan = off
SET enable_sort = off
AS $function$
DECLARE
    -- The key may have several columns.
    v_id text := (
        SELECT CASE count(*) WHEN 1 THEN min(quote_ident(k.name)) ELSE format('ROW(%s)', string_agg(quote_ident(k.name), ', ' ORDER BY k.place)) END
        FROM unnest(p_key) WITH ORDINALITY AS k (name, place));
    v_query text;
BEGIN
    IF p_vector IS NULL THEN
        RETURN;
    END IF;
    SELECT format(
        'SELECT %1$s::text, (%2$s)::double precision FROM %3$s WHERE ($2 IS NULL OR %1$s::text <> $2) AND (%4$s) ORDER BY %2$s LIMIT $3',
        v_id,
        format('%s OPERATOR(%I.%s) $1::%s', pg_get_indexdef(i.indexrelid, 1, false), n.nspname, o.oprname,
            format_type(a.atttypid, a.atttypmod)),
        i.indrelid::regclass, coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'))
    INTO STRICT v_query
    FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = 1
    JOIN pg_opclass c ON c.oid = i.indclass[0]
    JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amoppurpose = 'o' AND p.amoplefttype = c.opcintype
    JOIN pg_operator o ON o.oid = p.amopopr
    JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE i.indexrelid = p_index
    ORDER BY p.amopstrategy
    LIMIT 1;
    RETURN QUERY EXECUTE v_query USING p_vector, p_but, p_k;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.index_answers FROM PUBLIC;
