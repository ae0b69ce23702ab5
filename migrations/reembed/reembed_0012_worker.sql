-- What the worker keeps: which text each vector was made from, which rows wait for it, and how the worker does.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe, creates only what is missing
-- Undo:         reembed_0012_worker.rollback.sql, which forgets the texts and the rows that wait
--
-- depends: reembed_0004_version reembed_0005_identity reembed_0006_writers
--
-- A row's key is kept as text, an entry for each of its columns, so that one table serves every target. Keys may tell much. So each row
-- here is seen only by who may read the whole table that it is about, and written only by who owns that table. The owner of
-- these tables sees and writes them all.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- it makes what is new, and waits for nobody
-- squawk-ignore-file prefer-bigint-over-int, prefer-bigint-over-smallint -- dimensions, columns, attempts and switches are few

-- One row a column that a worker keeps up to date. It knows the table by its oid and the column by its number, in the database
-- of home. Names are those of the last start.
CREATE TABLE IF NOT EXISTS vestige_sql.worker (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    home           uuid NOT NULL,
    table_oid      oid NOT NULL,
    column_number  smallint NOT NULL,
    table_schema   text NOT NULL,
    table_name     text NOT NULL,
    column_name    text NOT NULL,
    content_column text NOT NULL,
    key_columns    text[] NOT NULL,
    -- the model that the worker embeds with, and how often that has changed
    model_name     text NOT NULL,
    dimension      integer NOT NULL,
    model_hash     text NOT NULL,
    epoch          integer NOT NULL DEFAULT 1,
    -- the last epoch in which a whole pass has taken note of every vector that was there
    swept_epoch    integer NOT NULL DEFAULT 0,
    swept_at       timestamptz,
    -- the first transaction that the last look may have missed, and the version of the trigger that noted changes by then
    swept_xid      bigint,
    swept_guard    text,
    made_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    made_by        text NOT NULL DEFAULT session_user
);

CREATE UNIQUE INDEX IF NOT EXISTS worker_column_idx ON vestige_sql.worker (table_oid, column_number, home);

COMMENT ON TABLE vestige_sql.worker IS 'One row a column whose vectors a worker keeps up to date';

-- One row a vector, with the hash of the text that it was made from. It counts in its epoch.
CREATE TABLE IF NOT EXISTS vestige_sql.worker_text (
    worker       bigint NOT NULL,
    key          text[] NOT NULL,
    content_hash bytea NOT NULL,
    epoch        integer NOT NULL,
    PRIMARY KEY (worker, key)
);

COMMENT ON TABLE vestige_sql.worker_text IS 'Of which text each vector is that a worker keeps up to date: the SHA-256';

-- One row a change that waits. Writers only ever add rows, and no key is unique but the row's own number. So no writer waits here.
CREATE TABLE IF NOT EXISTS vestige_sql.worker_note (
    note     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker   bigint NOT NULL,
    key      text[] NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- of a row that could not be embedded: when it is tried again, how often it was tried, and what was said
    due_at   timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    error    text
);

CREATE INDEX IF NOT EXISTS worker_note_order_idx ON vestige_sql.worker_note (worker, note);
CREATE INDEX IF NOT EXISTS worker_note_key_idx ON vestige_sql.worker_note (worker, key);

COMMENT ON TABLE vestige_sql.worker_note IS 'The rows that wait for a worker, a row for each change';

-- One row a process, for those who watch it.
CREATE TABLE IF NOT EXISTS vestige_sql.worker_process (
    id          uuid PRIMARY KEY,
    worker      bigint NOT NULL,
    process     text NOT NULL,
    backend_pid integer NOT NULL,
    state       text NOT NULL CHECK (state IN ('starting', 'sweeping', 'working', 'waiting', 'failing', 'stopped')),
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    passed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    stopped_at  timestamptz,
    embedded    bigint NOT NULL DEFAULT 0,
    cleared     bigint NOT NULL DEFAULT 0,
    failed      bigint NOT NULL DEFAULT 0,
    last_error  text
);

CREATE INDEX IF NOT EXISTS worker_process_worker_idx ON vestige_sql.worker_process (worker);

COMMENT ON TABLE vestige_sql.worker_process IS 'One row a process of a worker: its last pass, what it did, its last error';

CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.worker
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer();
ALTER TABLE vestige_sql.worker ENABLE ALWAYS TRIGGER check_writer;

-- Whoever may read the table sees the rows about it. Whoever owns the table writes them. The function that notes changes has its
-- owner's rights, and a note that came too much costs one look: so notes are added by whoever has the grant, and never fail.
DO $do$
DECLARE
    v_table text;
BEGIN
    EXECUTE 'ALTER TABLE vestige_sql.worker ENABLE ROW LEVEL SECURITY';
    EXECUTE 'DROP POLICY IF EXISTS who_reads_the_table ON vestige_sql.worker';
    EXECUTE 'CREATE POLICY who_reads_the_table ON vestige_sql.worker FOR SELECT'
        ' USING (pg_catalog.has_table_privilege(table_oid, ''SELECT'') AND NOT pg_catalog.row_security_active(table_oid))';
    EXECUTE 'DROP POLICY IF EXISTS who_owns_the_table ON vestige_sql.worker';
    EXECUTE 'CREATE POLICY who_owns_the_table ON vestige_sql.worker USING (EXISTS ('
        'SELECT FROM pg_catalog.pg_class c'
        ' WHERE c.oid OPERATOR(pg_catalog.=) table_oid AND pg_catalog.pg_has_role(c.relowner, ''USAGE'')))';
    FOREACH v_table IN ARRAY ARRAY['worker_text', 'worker_note', 'worker_process'] LOOP
        EXECUTE pg_catalog.format('ALTER TABLE vestige_sql.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE pg_catalog.format('DROP POLICY IF EXISTS who_reads_the_table ON vestige_sql.%I', v_table);
        -- the policy of worker applies in here
        EXECUTE pg_catalog.format(
            'CREATE POLICY who_reads_the_table ON vestige_sql.%I FOR SELECT'
            ' USING (worker OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT w.id FROM vestige_sql.worker w)))', v_table);
        EXECUTE pg_catalog.format('DROP POLICY IF EXISTS who_owns_the_table ON vestige_sql.%I', v_table);
        EXECUTE pg_catalog.format(
            'CREATE POLICY who_owns_the_table ON vestige_sql.%I'
            ' USING (worker OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT w.id FROM vestige_sql.worker w'
            ' JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) w.table_oid'
            ' WHERE pg_catalog.pg_has_role(c.relowner, ''USAGE''))))', v_table);
    END LOOP;
    EXECUTE 'DROP POLICY IF EXISTS anybody_notes ON vestige_sql.worker_note';
    EXECUTE 'CREATE POLICY anybody_notes ON vestige_sql.worker_note FOR INSERT WITH CHECK (true)';
END
$do$;
