-- Forget all maps of the bridge. Vectors and registry stay.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0011_bridge.sql, then vestige-sql migrate up, and vestige-sql migrate bridge where vectors are staged
--
-- Applications that search through a map get an error from then on.

-- squawk-ignore-file ban-drop-table -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
SET LOCAL lock_timeout = '10s';

-- Their arguments have the type of the weights. The next migrate up makes them again.
DO $do$
DECLARE
    v_function text;
BEGIN
    FOR v_function IN
        SELECT p.oid::pg_catalog.regprocedure::text
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
        WHERE n.nspname OPERATOR(pg_catalog.=) 'vestige_sql' AND p.proname IN ('bridged', 'bridge_through')
    LOOP
        EXECUTE 'DROP FUNCTION ' || v_function;
    END LOOP;
END
$do$;
DELETE FROM vestige_sql.function_file WHERE name IN ('bridged', 'bridge_through');
DROP TABLE IF EXISTS vestige_sql.bridge_row;
DROP TABLE IF EXISTS vestige_sql.bridge;
