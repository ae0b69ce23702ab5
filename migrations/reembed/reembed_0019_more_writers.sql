-- Let each role write only rows of its own into the tables that tell where the registry is at home, what was judged, and how models answer.
--
-- Locks:        SHARE ROW EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe, creates only what is missing
-- Undo:         reembed_0019_more_writers.rollback.sql
--
-- depends: reembed_0005_identity reembed_0006_writers reembed_0008_encoder reembed_0013_judge
--
-- Until the next vestige-sql migrate up has made the function check_writer anew, nobody but the owner of the schema writes into them.
-- Where roles that you do not trust could write into vestige_sql.home or vestige_sql.judging before, look at their rows first.

SET LOCAL lock_timeout = '10s';

DO $do$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY[
        'home', 'encoder_probe', 'judging', 'judge_question', 'judge_answer', 'judge_found', 'judge_score', 'judge_measure', 'judge_speed']
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.%I'
            ' FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer()', v_table);
        -- It holds in a session of a replica too.
        EXECUTE pg_catalog.format('ALTER TABLE vestige_sql.%I ENABLE ALWAYS TRIGGER check_writer', v_table);
    END LOOP;
END
$do$;
