-- What the database remembers of the package: its version, and the text of each function.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe, creates only what is missing, and has every function made again by the next vestige-sql migrate up
-- Undo:         reembed_0004_version.rollback.sql
--
-- depends: reembed_0001_schema reembed_0002_functions reembed_0003_copy
--
-- From here on a function is a file of sql/functions, which vestige-sql migrate up applies where its text is another than the one
-- that is remembered here; sql/README.md says how psql alone does the same.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- it makes what is new, and waits for nobody

-- One row once vestige-sql migrate up has come to its end.
CREATE TABLE IF NOT EXISTS vestige_sql.package (
    id             boolean PRIMARY KEY DEFAULT true CHECK (id),
    version        text NOT NULL,
    -- the last of the migrations in migrations/reembed, by its name
    last_migration text NOT NULL,
    migrated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    migrated_by    text NOT NULL DEFAULT session_user
);

COMMENT ON TABLE vestige_sql.package IS 'The version of vestige-sql that this database is at, since when, and who brought it there';

-- One row a file of sql/functions. NULL for a function that a migration made, whatever its text.
CREATE TABLE IF NOT EXISTS vestige_sql.function_file (
    name       text PRIMARY KEY,
    sha256     text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE vestige_sql.function_file IS 'The functions of vestige-sql, with the SHA-256 of the files that made them';

-- Those that the migrations before this one make, which stay as they are. Where these have run once more, their functions have the
-- former texts again.
INSERT INTO vestige_sql.function_file (name)
VALUES
    ('require'), ('has_text'), ('content_hash'), ('other_index_name'), ('rename_column'), ('index_definitions'),
    ('column_grants'), ('column_properties'), ('registry_of'), ('registered_model'), ('set_model'), ('swap_indexes'),
    ('index_recall'),
    ('read_uuid'), ('read_number'), ('read_integer'), ('read_timestamp'), ('read_json'), ('read_object'), ('read_texts'),
    ('read_uuids'), ('complaint'), ('merged_metadata')
ON CONFLICT (name) DO UPDATE SET sha256 = NULL;
