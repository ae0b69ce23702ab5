-- Let each role write only about tables of its own, and keep who saved the definition of an index.
--
-- Locks:        ACCESS EXCLUSIVE on vestige_sql.saved_index, SHARE ROW EXCLUSIVE on the package's other tables
-- Transaction:  required
-- Run again:    safe, creates only what is missing
-- Undo:         reembed_0006_writers.rollback.sql
--
-- depends: reembed_0001_schema reembed_0004_version
--
-- Definitions that are saved already count as saved by whoever applies this migration. Where roles that you do not trust could write
-- into vestige_sql.saved_index before, look at its rows first.

-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
-- squawk-ignore-file adding-field-with-default -- the table has no row but while a run is under way
SET LOCAL lock_timeout = '10s';

ALTER TABLE vestige_sql.saved_index ADD COLUMN IF NOT EXISTS saved_by text NOT NULL DEFAULT current_user;

-- It becomes what sql/functions/check_writer.sql says with the next vestige-sql migrate up. Until then nobody but the owner writes.
CREATE OR REPLACE FUNCTION vestige_sql.check_writer()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT pg_has_role((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'vestige_sql'), 'USAGE') THEN
        RAISE EXCEPTION 'nobody but the owner of the schema vestige_sql writes into it before vestige-sql migrate up has come to its end';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.check_writer FROM PUBLIC;

CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.run
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer();
CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.step
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer();
CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.model
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer();
CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.saved_index
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer();
CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.kept
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer();

-- So that the next vestige-sql migrate up makes it anew.
DELETE FROM vestige_sql.function_file WHERE name = 'check_writer';

-- They hold in a session of a replica too.
ALTER TABLE vestige_sql.run ENABLE ALWAYS TRIGGER check_writer;
ALTER TABLE vestige_sql.step ENABLE ALWAYS TRIGGER check_writer;
ALTER TABLE vestige_sql.model ENABLE ALWAYS TRIGGER check_writer;
ALTER TABLE vestige_sql.saved_index ENABLE ALWAYS TRIGGER check_writer;
ALTER TABLE vestige_sql.kept ENABLE ALWAYS TRIGGER check_writer;
