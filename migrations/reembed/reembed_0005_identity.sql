-- Let the registry know which table and column each of its rows is about, whatever they are called, and in which database.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe, it adds only what is missing
-- Undo:         reembed_0005_identity.rollback.sql
--
-- depends: reembed_0001_schema reembed_0004_version
--
-- Until now the registry went by name. What it has is taken to be about the tables of these names, as they are now.

-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
-- squawk-ignore-file adding-field-with-default, adding-serial-primary-key-field -- the tables are the package's own, and small
-- squawk-ignore-file ban-drop-constraint, require-concurrent-index-creation -- the tables are the package's own, and small
-- squawk-ignore-file prefer-bigint-over-smallint -- PostgreSQL's own numbers of columns are of this type
SET LOCAL lock_timeout = '10s';

-- One row each time that this schema came to be in a database, by its making or by dump and restore. place and written_by are the row's
-- own tableoid and xmin. A copy file by file keeps both (CREATE DATABASE .. TEMPLATE, a base backup, pg_upgrade), and what the
-- registry says stays true. Dump and restore keeps neither: the registry and the tables may come from different moments.
CREATE TABLE IF NOT EXISTS vestige_sql.home (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    place      oid,
    written_by xid,
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE vestige_sql.home IS 'Tells whether the rows of the registry were written here, or came by dump and restore';

ALTER TABLE vestige_sql.model
    ADD COLUMN IF NOT EXISTS home           uuid,
    ADD COLUMN IF NOT EXISTS table_oid      oid,
    ADD COLUMN IF NOT EXISTS column_number  smallint,
    -- what the vectors were made from: the column with the text, and its number where it is a column of the table
    ADD COLUMN IF NOT EXISTS content_column text,
    ADD COLUMN IF NOT EXISTS content_number smallint;

-- Two tables may have had one name, one after the other.
ALTER TABLE vestige_sql.model DROP CONSTRAINT IF EXISTS model_pkey;
ALTER TABLE vestige_sql.model ADD COLUMN IF NOT EXISTS id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
CREATE UNIQUE INDEX IF NOT EXISTS model_column_idx ON vestige_sql.model (table_oid, column_number, home);

COMMENT ON TABLE vestige_sql.model IS
    'Which model the vectors of a column are of. Vestige''s own table has its registry beside it, and a row here too';

ALTER TABLE vestige_sql.run
    ADD COLUMN IF NOT EXISTS home          uuid,
    ADD COLUMN IF NOT EXISTS table_oid     oid,
    ADD COLUMN IF NOT EXISTS column_number smallint;

ALTER TABLE vestige_sql.kept
    ADD COLUMN IF NOT EXISTS home      uuid,
    ADD COLUMN IF NOT EXISTS table_oid oid,
    -- in a column: the transaction that last changed the trigger which guards the kept vectors, once all of them are of their texts
    ADD COLUMN IF NOT EXISTS guard     xid;

DO $do$
DECLARE
    v_home uuid;
BEGIN
    IF EXISTS (SELECT FROM vestige_sql.home) THEN
        RETURN;
    END IF;
    INSERT INTO vestige_sql.home DEFAULT VALUES RETURNING id INTO v_home;
    UPDATE vestige_sql.home SET place = tableoid, written_by = xmin WHERE id = v_home;

    UPDATE vestige_sql.model m
    SET home = v_home, table_oid = a.attrelid, column_number = a.attnum
    FROM pg_catalog.pg_namespace n
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
    WHERE n.nspname = m.table_schema AND c.relname = m.table_name AND a.attname = m.column_name;

    UPDATE vestige_sql.run r
    SET home = v_home, table_oid = a.attrelid, column_number = a.attnum
    FROM pg_catalog.pg_namespace n
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
    WHERE n.nspname = r.table_schema AND c.relname = r.table_name AND a.attname = r.column_name;

    UPDATE vestige_sql.kept k
    SET home = v_home, table_oid = c.oid
    FROM pg_catalog.pg_namespace n
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
    WHERE n.nspname = k.table_schema AND c.relname = k.table_name;

    UPDATE vestige_sql.kept k
    SET guard = g.xmin
    FROM vestige_sql.run r, pg_catalog.pg_trigger g
    WHERE k.place = 'column' AND r.id = k.run_id AND g.tgrelid = k.table_oid
      AND g.tgname = r.variables ->> 'keep_trigger' AND g.tgenabled = 'A';

    -- What the vectors are made from is what the last run over all rows read.
    UPDATE vestige_sql.model m
    SET content_column = a.attname, content_number = a.attnum
    FROM (
        SELECT DISTINCT ON (r.table_schema, r.table_name, r.column_name)
            r.table_schema, r.table_name, r.column_name, r.table_oid, r.variables ->> 'content_column' AS content
        FROM vestige_sql.run r
        WHERE r.scope IN ('all', 'back') AND r.state IN ('applied', 'done')
        ORDER BY r.table_schema, r.table_name, r.column_name, r.id DESC
    ) AS l
    JOIN pg_catalog.pg_attribute a ON a.attrelid = l.table_oid AND a.attname = l.content AND NOT a.attisdropped
    WHERE l.table_schema = m.table_schema AND l.table_name = m.table_name AND l.column_name = m.column_name;
END
$do$;
