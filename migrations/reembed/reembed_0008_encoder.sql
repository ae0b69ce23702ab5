-- What models that run elsewhere said to a few texts, so that another model behind the same name is found out.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe, creates only what is missing
-- Undo:         reembed_0008_encoder.rollback.sql
--
-- depends: reembed_0004_version
--
-- A model whose files are at hand has a hash over them. Of one behind an endpoint only the name is known, and what it answers.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- it makes what is new, and waits for nobody
-- squawk-ignore-file prefer-bigint-over-int -- pgvector's dimensions end at 16,000

-- One row a model and text, written when the model is first used. The vectors are plain arrays: no index searches them.
CREATE TABLE IF NOT EXISTS vestige_sql.encoder_probe (
    model_name    text NOT NULL,
    dimension     integer NOT NULL CHECK (dimension > 0),
    model_hash    text NOT NULL CHECK (model_hash ~ '^[0-9a-f]{64}$'),
    probe_text    text NOT NULL,
    vector        real[] NOT NULL,
    remembered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    remembered_by text NOT NULL DEFAULT session_user,
    PRIMARY KEY (model_name, dimension, model_hash, probe_text)
);

COMMENT ON TABLE vestige_sql.encoder_probe IS 'The vectors that models behind endpoints gave to a few texts when they were first used';
