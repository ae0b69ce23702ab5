-- Forget the models of some of a column's rows, and that runs were of some rows.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0015_rows.sql, then vestige-sql migrate up; which rows had which model is lost
--
-- Your tables keep their vectors. Nothing can undo it while a run of some rows is open: end that run first.

-- squawk-ignore-file ban-drop-function, ban-drop-column -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion -- the table has a row a target
-- squawk-ignore-file constraint-missing-not-valid, ban-drop-constraint -- the tables are this package's own, and small
SET LOCAL lock_timeout = '10s';

DO $do$
BEGIN
    IF EXISTS (
        SELECT FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = 'vestige_sql.run'::regclass AND a.attname = 'row_filter' AND NOT a.attisdropped)
    THEN
        IF EXISTS (
            SELECT FROM vestige_sql.run r
            WHERE r.row_filter <> '' AND (r.state IN ('staging', 'filling', 'applied')
                OR r.id IN (SELECT k.run_id FROM vestige_sql.kept k)))
        THEN
            RAISE EXCEPTION 'a run of some rows is open, or its former vectors are kept; nothing was changed'
                USING HINT = 'end it first: vestige-sql migrate status says how; vestige-sql migrate finalize lets go of kept vectors';
        END IF;
        DELETE FROM vestige_sql.model m WHERE m.row_filter <> '';
        -- What became of them is known no more by the way that they took.
        UPDATE vestige_sql.run r SET way = 'fill' WHERE r.way = 'rows';
    END IF;
END
$do$;

DROP INDEX IF EXISTS vestige_sql.model_rows_idx;
ALTER TABLE vestige_sql.model DROP COLUMN IF EXISTS row_filter;
ALTER TABLE vestige_sql.run DROP COLUMN IF EXISTS row_filter;
CREATE UNIQUE INDEX IF NOT EXISTS model_column_idx ON vestige_sql.model (table_oid, column_number, home);

ALTER TABLE vestige_sql.run DROP CONSTRAINT IF EXISTS run_way_check;
ALTER TABLE vestige_sql.run ADD CONSTRAINT run_way_check CHECK (way IN ('rewrite', 'widen', 'swap', 'fill', 'online', 'back'));

-- The functions that knew of it: those of the former version are applied by its migrate up.
DROP FUNCTION IF EXISTS vestige_sql.set_rows_model(regclass, name, text, integer, text, text);
DROP FUNCTION IF EXISTS vestige_sql.set_text(regclass, name, text, text);
DROP FUNCTION IF EXISTS vestige_sql.forget_model(regclass, name, text);
DROP FUNCTION IF EXISTS vestige_sql.registry_says(regclass, name, text);
DROP FUNCTION IF EXISTS vestige_sql.rows_model(regclass, name, text);
DROP FUNCTION IF EXISTS vestige_sql.rows_index_definitions(regclass, name, integer, name, text);
DROP FUNCTION IF EXISTS vestige_sql.registered(regclass);
DELETE FROM vestige_sql.function_file
WHERE name IN (
    'set_model', 'set_rows_model', 'set_text', 'forget_model', 'registry_says', 'registered_model', 'rows_model',
    'index_definitions', 'rows_index_definitions', 'registered');
