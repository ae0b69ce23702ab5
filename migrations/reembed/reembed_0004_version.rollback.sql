-- Forget the version of the package, and drop the functions that no migration made.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0004_version.sql, then vestige-sql migrate up
--
-- The other functions keep their texts. Those of the migrations before this one come back where these are applied again.

-- squawk-ignore-file ban-drop-table -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
SET LOCAL lock_timeout = '10s';

DO $do$
DECLARE
    v_name text;
BEGIN
    IF pg_catalog.to_regclass('vestige_sql.function_file') IS NULL THEN
        RETURN;
    END IF;
    FOR v_name IN
        SELECT f.name FROM vestige_sql.function_file f
        WHERE f.name <> ALL (ARRAY[
            'require', 'has_text', 'content_hash', 'other_index_name', 'rename_column', 'index_definitions',
            'column_grants', 'column_properties', 'registry_of', 'registered_model', 'set_model', 'swap_indexes',
            'index_recall',
            'read_uuid', 'read_number', 'read_integer', 'read_timestamp', 'read_json', 'read_object', 'read_texts',
            'read_uuids', 'complaint', 'merged_metadata'])
    LOOP
        EXECUTE pg_catalog.format('DROP FUNCTION IF EXISTS vestige_sql.%I', v_name);
    END LOOP;
END
$do$;

DROP TABLE IF EXISTS vestige_sql.function_file;
DROP TABLE IF EXISTS vestige_sql.package;
