-- The maps of the bridge, by which a vector of one model is searched with in the space of another.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe, creates only what is missing
-- Undo:         reembed_0011_bridge.rollback.sql, which forgets all maps
--
-- depends: reembed_0004_version reembed_0006_writers
--
-- A map is linear: an entry of the result is the product of a row of weights with the vector, and a bias. No map is ever used
-- for a vector that is stored.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- it makes what is new, and waits for nobody
-- squawk-ignore-file prefer-bigint-over-int -- pgvector's dimensions end at 16,000

-- One row a map. It stays when the map is dropped, with who did it and when. Its weights go.
CREATE TABLE IF NOT EXISTS vestige_sql.bridge (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_schema    text NOT NULL,
    table_name      text NOT NULL,
    column_name     text NOT NULL,
    run_id          bigint NOT NULL,
    from_name       text NOT NULL,
    from_dimension  integer NOT NULL,
    from_hash       text NOT NULL,
    to_name         text NOT NULL,
    to_dimension    integer NOT NULL,
    to_hash         text NOT NULL,
    method          text NOT NULL CHECK (method IN ('procrustes', 'ridge')),
    is_centred      boolean NOT NULL,
    -- whether a vector that went through it is brought to length one, as all vectors of the model that it maps to are
    is_normalised   boolean NOT NULL,
    -- how many pairs it was fitted on, and how many others it was measured with
    pairs           integer NOT NULL,
    held_out        integer NOT NULL,
    recall          double precision NOT NULL,
    recall_low      double precision NOT NULL,
    recall_high     double precision NOT NULL,
    settings        jsonb NOT NULL DEFAULT '{}',
    made_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    made_by         text NOT NULL DEFAULT session_user,
    dropped_at      timestamptz,
    dropped_by      text,
    package_version text NOT NULL
);

-- Of two models there is one map each way at a time.
CREATE UNIQUE INDEX IF NOT EXISTS bridge_column_idx
    ON vestige_sql.bridge (table_schema, table_name, column_name, to_hash, to_dimension, from_hash, from_dimension)
    WHERE dropped_at IS NULL;

COMMENT ON TABLE vestige_sql.bridge IS 'One row a map from one model''s space to another''s: models, method, figures, and when it was dropped';

-- A row of weights that fits into a page stays in the table itself. Out of line, a vector would take twice as long to map.
CREATE TABLE IF NOT EXISTS vestige_sql.bridge_row (
    bridge bigint NOT NULL REFERENCES vestige_sql.bridge ON DELETE CASCADE,
    nr     integer NOT NULL,
    bias   double precision NOT NULL,
    PRIMARY KEY (bridge, nr)
) WITH (toast_tuple_target = 8160);

COMMENT ON TABLE vestige_sql.bridge_row IS 'The rows of a map: entry nr of the result is weights times the vector, plus bias';

-- pgvector may be in any schema.
DO $do$
BEGIN
    EXECUTE pg_catalog.format('ALTER TABLE vestige_sql.bridge_row ADD COLUMN IF NOT EXISTS weights %I.vector NOT NULL', (
        SELECT n.nspname
        FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
        WHERE e.extname OPERATOR(pg_catalog.=) 'vector'));
END
$do$;

CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.bridge
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer();
CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.bridge_row
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer();
ALTER TABLE vestige_sql.bridge ENABLE ALWAYS TRIGGER check_writer;
ALTER TABLE vestige_sql.bridge_row ENABLE ALWAYS TRIGGER check_writer;
