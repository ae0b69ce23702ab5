-- Create Vestige's memory schema: users, groups, memories with a pgvector embedding, scheduling, edges, reviews.
--
-- Locks:        none on any table that is there already; SHARE ROW EXCLUSIVE on its own on a second run
-- Transaction:  required
-- Run again:    safe, creates only what is missing
-- Undo:         0001_init.rollback.sql, which destroys every memory; a person runs it, nothing else does
-- Server:       PostgreSQL 14 or later, with pgvector
--
-- Names are not qualified: everything goes into the current schema, the first of search_path that exists, which is
-- public unless the role or the database says otherwise. The extension vector must be visible on search_path.
--
-- The role owns the schema or may create in it. It needs to be a superuser only to create the extension vector;
-- where an administrator has done that, the owner of the database is enough.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- it makes what is new, and waits for nobody
-- squawk-ignore-file prefer-bigint-over-int, prefer-bigint-over-smallint, prefer-identity -- the columns are Vestige's, type for type

-- IF NOT EXISTS would take tables of another making for these, say an application's users, or the tables of
-- Vestige's own migrations. In one transaction either all of this file is there or none of it, so the function
-- below tells the two apart.
DO $$
DECLARE
    taken text;
BEGIN
    IF EXISTS (SELECT FROM pg_proc
                WHERE proname = 'vestige_tags_text' AND pronamespace = quote_ident(current_schema())::regnamespace) THEN
        RETURN;
    END IF;
    SELECT string_agg(relname, ', ' ORDER BY relname) INTO taken
      FROM pg_class
     WHERE relnamespace = quote_ident(current_schema())::regnamespace
       AND relname IN ('users', 'groups', 'group_memberships', 'embedding_model', 'domains', 'knowledge_nodes',
                       'scheduling', 'edges', 'review_events');
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'schema % has tables of the same names that this migration did not make: %',
                        current_schema(), taken
              USING ERRCODE = 'VS100',
                    HINT = 'They stay as they are. To re-embed a table that is there already, this schema is not '
                           'needed. To install it beside them, put another schema first on search_path.';
    END IF;
END
$$;

CREATE EXTENSION IF NOT EXISTS vector;

-- Nothing here needs pgcrypto, since gen_random_uuid() is built in; Vestige itself may. Some small builds of
-- PostgreSQL come without it, and that is no reason to stop.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgcrypto') THEN
        CREATE EXTENSION IF NOT EXISTS pgcrypto;
    END IF;
END
$$;

-- A generated column takes immutable expressions alone, and array_to_string() is only STABLE, because for some
-- element types (timestamptz, say) the text depends on settings. For text it does not, so this promise is true.
CREATE OR REPLACE FUNCTION vestige_tags_text(tags text[]) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN pg_catalog.array_to_string(tags, ' ');

COMMENT ON FUNCTION vestige_tags_text(text[]) IS 'Tags as one text, immutable for the generated column search_vec';

CREATE OR REPLACE FUNCTION vestige_set_updated_at() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    NEW.updated_at := pg_catalog.now();
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION vestige_set_updated_at() IS 'Trigger function: every UPDATE of a row sets its updated_at';

CREATE TABLE IF NOT EXISTS users (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    handle       text NOT NULL UNIQUE,
    display_name text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    metadata     jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE IF NOT EXISTS groups (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    handle       text NOT NULL UNIQUE,
    display_name text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    metadata     jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE IF NOT EXISTS group_memberships (
    user_id   uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    group_id  uuid NOT NULL REFERENCES groups ON DELETE CASCADE,
    role      text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin')),
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, group_id)
);

-- The registry: which model the vectors of knowledge_nodes.embedding are of. One row or none.
CREATE TABLE IF NOT EXISTS embedding_model (
    id         integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    model_name text NOT NULL,
    dimension  integer NOT NULL CHECK (dimension > 0),
    model_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS domains (
    id           text PRIMARY KEY,
    label        text NOT NULL,
    centroid     vector,
    top_terms    text[] NOT NULL DEFAULT '{}',
    memory_count integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    metadata     jsonb NOT NULL DEFAULT '{}'
);

-- The embedding has no dimension yet: the first registration of a model gives it one.
CREATE TABLE IF NOT EXISTS knowledge_nodes (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    content            text NOT NULL,
    node_type          text NOT NULL DEFAULT 'general',
    tags               text[] NOT NULL DEFAULT '{}',
    metadata           jsonb NOT NULL DEFAULT '{}',
    domains            text[] NOT NULL DEFAULT '{}',
    domain_scores      jsonb NOT NULL DEFAULT '{}',
    embedding          vector,
    codebase           text,
    owner_user_id      uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000001' REFERENCES users,
    visibility         text NOT NULL DEFAULT 'private' CHECK (visibility IN ('private', 'group', 'public')),
    shared_with_groups uuid[] NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    search_vec         tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('pg_catalog.english', content), 'A')
        || setweight(to_tsvector('pg_catalog.english', node_type), 'B')
        || setweight(to_tsvector('pg_catalog.english', vestige_tags_text(tags)), 'C')
    ) STORED
);

CREATE TABLE IF NOT EXISTS scheduling (
    memory_id      uuid PRIMARY KEY REFERENCES knowledge_nodes ON DELETE CASCADE,
    stability      double precision,
    difficulty     double precision,
    retrievability double precision,
    last_review    timestamptz,
    next_review    timestamptz,
    reps           integer NOT NULL DEFAULT 0,
    lapses         integer NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS edges (
    source_id  uuid NOT NULL REFERENCES knowledge_nodes ON DELETE CASCADE,
    target_id  uuid NOT NULL REFERENCES knowledge_nodes ON DELETE CASCADE,
    edge_type  text NOT NULL DEFAULT 'related',
    weight     double precision NOT NULL DEFAULT 1.0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, target_id, edge_type)
);

CREATE TABLE IF NOT EXISTS review_events (
    id          bigserial PRIMARY KEY,
    memory_id   uuid NOT NULL REFERENCES knowledge_nodes ON DELETE CASCADE,
    timestamp   timestamptz NOT NULL DEFAULT now(),
    rating      smallint NOT NULL,
    prior_state jsonb,
    new_state   jsonb
);

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_search_vec ON knowledge_nodes USING gin (search_vec);

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_domains ON knowledge_nodes USING gin (domains);

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_tags ON knowledge_nodes USING gin (tags);

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_shared_with_groups ON knowledge_nodes USING gin (shared_with_groups);

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_node_type ON knowledge_nodes (node_type);

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_created_at ON knowledge_nodes (created_at);

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_updated_at ON knowledge_nodes (updated_at);

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_owner_user_id ON knowledge_nodes (owner_user_id);

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_codebase ON knowledge_nodes (codebase) WHERE codebase IS NOT NULL;

CREATE INDEX IF NOT EXISTS idx_scheduling_next_review ON scheduling (next_review);

CREATE INDEX IF NOT EXISTS idx_scheduling_last_review ON scheduling (last_review);

CREATE INDEX IF NOT EXISTS idx_edges_target_id ON edges (target_id);

CREATE INDEX IF NOT EXISTS idx_edges_source_id ON edges (source_id);

CREATE INDEX IF NOT EXISTS idx_edges_edge_type ON edges (edge_type);

CREATE INDEX IF NOT EXISTS idx_review_events_memory_id ON review_events (memory_id);

CREATE INDEX IF NOT EXISTS idx_review_events_timestamp ON review_events (timestamp);

CREATE OR REPLACE TRIGGER knowledge_nodes_set_updated_at
    BEFORE UPDATE ON knowledge_nodes
    FOR EACH ROW EXECUTE FUNCTION vestige_set_updated_at();

INSERT INTO users (id, handle, display_name)
VALUES ('00000000-0000-0000-0000-000000000001', 'local', 'Local user')
ON CONFLICT DO NOTHING;
