-- Ask whether an index serves searches for the nearest vectors.
--
-- It does where its first key has an operator that orders vectors of pgvector, or their bits. So do HNSW, IVFFlat, and access
-- methods of other extensions, such as diskann and vchordrq.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.is_vector_index(p_index oid)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT EXISTS (
        SELECT
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_am am ON am.oid = c.relam
        JOIN pg_opclass oc ON oc.oid = i.indclass[0]
        LEFT JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amoppurpose = 'o'
        LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = ao.amoplefttype AND d.refclassid = 'pg_extension'::regclass
        LEFT JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'vector'
        WHERE i.indexrelid = p_index
          AND (am.amname IN ('hnsw', 'ivfflat') OR x.oid IS NOT NULL OR ao.amoplefttype = 'bit'::regtype))
$function$;

REVOKE ALL ON FUNCTION vestige_sql.is_vector_index FROM PUBLIC;
