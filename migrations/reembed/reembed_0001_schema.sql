-- The package's own schema: the runs, their steps, the registry of tables that are not Vestige's, saved indexes.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe, creates only what is missing
-- Undo:         reembed_0001_schema.rollback.sql, which forgets the history of all runs
--
-- Staging tables are made in this schema too, one a target, and dropped when their vectors are in place. The
-- role that runs a re-embedding needs CREATE and USAGE here and owns the target table.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- it makes what is new, and waits for nobody
-- squawk-ignore-file prefer-bigint-over-int -- pgvector's dimensions end at 16,000
CREATE EXTENSION IF NOT EXISTS vector;

CREATE SCHEMA IF NOT EXISTS vestige_sql;

COMMENT ON SCHEMA vestige_sql IS 'vestige-sql: re-embedding runs, their audit, and staging tables';

-- One row a re-embedding, however often its process was killed and started again.
CREATE TABLE IF NOT EXISTS vestige_sql.run (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_schema    text NOT NULL,
    table_name      text NOT NULL,
    column_name     text NOT NULL,
    scope           text NOT NULL CHECK (scope IN ('all', 'missing', 'index', 'register', 'back')),
    from_name       text,
    from_dimension  integer,
    from_hash       text,
    to_name         text NOT NULL,
    to_dimension    integer NOT NULL,
    to_hash         text NOT NULL,
    -- staging: nothing live was touched; filling: a second column is filled, search goes on in the first; applied: vectors
    -- and registry are in place, and something is still to be built or cleared away
    state           text NOT NULL DEFAULT 'staging' CHECK (state IN ('staging', 'filling', 'applied', 'done', 'aborted')),
    way             text CHECK (way IN ('rewrite', 'widen', 'swap', 'fill', 'online', 'back')),
    way_reason      text,
    rows_total      bigint,
    rows_written    bigint,
    rows_blank      bigint,
    -- online: the last key, as text, up to which all is filled, and up to which it is being filled, in how many of the passes
    -- of online/fill; and what was true of every row of the file with this number
    filled_to       text,
    filling_to      text,
    fill_passes     integer NOT NULL DEFAULT 0,
    rows_filled     bigint NOT NULL DEFAULT 0,
    verified_file   bigint,
    verified_at     timestamptz,
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_at      timestamptz,
    finished_at     timestamptz,
    duration_secs   double precision,
    index_secs      double precision,
    last_error      text,
    -- the step files' variables for this target, which sql/variables.psql gives to psql
    variables       jsonb NOT NULL DEFAULT '{}',
    started_by      text NOT NULL DEFAULT session_user,
    server_version  text NOT NULL DEFAULT current_setting('server_version'),
    package_version text NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS run_open_idx
    ON vestige_sql.run (table_schema, table_name, column_name)
    WHERE state IN ('staging', 'filling', 'applied');

COMMENT ON TABLE vestige_sql.run IS 'One row a re-embedding: signatures from and to, way of applying, rows, durations, outcome';

-- One row a step file that ran. Steps of a transaction that was rolled back leave no row: they did not happen.
CREATE TABLE IF NOT EXISTS vestige_sql.step (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id        bigint NOT NULL REFERENCES vestige_sql.run ON DELETE CASCADE,
    file          text NOT NULL,
    sha256        text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    rows_affected bigint,
    started_at    timestamptz NOT NULL,
    duration_secs double precision NOT NULL
);

CREATE INDEX IF NOT EXISTS step_run_id_idx ON vestige_sql.step (run_id);

COMMENT ON TABLE vestige_sql.step IS 'One row a step file that ran, with the SHA-256 of its bytes';

-- The registry of targets other than Vestige's own table, whose registry is its table embedding_model.
CREATE TABLE IF NOT EXISTS vestige_sql.model (
    table_schema text NOT NULL,
    table_name   text NOT NULL,
    column_name  text NOT NULL,
    model_name   text NOT NULL,
    dimension    integer NOT NULL CHECK (dimension > 0),
    model_hash   text NOT NULL CHECK (model_hash ~ '^[0-9a-f]{64}$'),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_schema, table_name, column_name)
);

COMMENT ON TABLE vestige_sql.model IS 'Which model the vectors of a column are of, for tables without a registry of their own';

-- Vector indexes that were dropped and are still to be built. Empty but while a run is under way, or after one
-- died between the commit of the vectors and the end of CREATE INDEX CONCURRENTLY. Online the former index stays until
-- the switch, and the new one has the name in built_as until then.
CREATE TABLE IF NOT EXISTS vestige_sql.saved_index (
    table_schema  text NOT NULL,
    table_name    text NOT NULL,
    column_name   text NOT NULL,
    index_name    text NOT NULL,
    built_as      text NOT NULL,
    definition    text NOT NULL,
    index_comment text,
    saved_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_schema, table_name, index_name)
);

COMMENT ON TABLE vestige_sql.saved_index IS 'Vector indexes that a run dropped and has still to build, as they were';

-- Former vectors that are kept so that a re-embedding can be undone: in a column beside the live one after an online
-- run, in a table of this schema after an offline one. The model is NULL where none was registered.
CREATE TABLE IF NOT EXISTS vestige_sql.kept (
    table_schema text NOT NULL,
    table_name   text NOT NULL,
    column_name  text NOT NULL,
    place        text NOT NULL CHECK (place IN ('column', 'table')),
    model_name   text,
    dimension    integer,
    model_hash   text,
    -- in a column: what the vector indexes of the live column are called; those of the kept one have vestige_sql.other_index_name()
    index_names  text[] NOT NULL DEFAULT '{}',
    run_id       bigint NOT NULL REFERENCES vestige_sql.run,
    kept_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (table_schema, table_name, column_name)
);

COMMENT ON TABLE vestige_sql.kept IS 'Former vectors of a column, of which model they are and where, until they are finalized';
