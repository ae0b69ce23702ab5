-- How each model makes vectors of texts: its prompts, pooling, length, dimension and file.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe, creates only what is missing
-- Undo:         reembed_0009_encoding.rollback.sql
--
-- depends: reembed_0004_version reembed_0006_writers
--
-- A model's signature says whether vectors are of one model. This says how to make more of them: search and preview encode
-- questions with the prompt that stands here.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- it makes what is new, and waits for nobody
-- squawk-ignore-file prefer-bigint-over-int -- pgvector's dimensions end at 16,000
CREATE TABLE IF NOT EXISTS vestige_sql.encoding (
    table_schema text NOT NULL,
    table_name   text NOT NULL,
    column_name  text NOT NULL,
    model_name   text NOT NULL,
    dimension    integer NOT NULL,
    model_hash   text NOT NULL,
    -- what the encoder says of itself: prompt, query_prompt, pooling, max_tokens and so on
    settings     jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by  text NOT NULL DEFAULT session_user,
    PRIMARY KEY (table_schema, table_name, column_name, model_name, dimension, model_hash)
);

COMMENT ON TABLE vestige_sql.encoding IS 'How the models of a column make vectors of texts: prompts, pooling, length, dimension, file';

-- Questions are encoded as it says, so each role writes about tables of its own.
CREATE OR REPLACE TRIGGER check_writer BEFORE INSERT OR UPDATE OR DELETE ON vestige_sql.encoding
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.check_writer();
ALTER TABLE vestige_sql.encoding ENABLE ALWAYS TRIGGER check_writer;
