-- The tables and columns of version 15 of Vestige's SQLite schema, in SQLite's dialect.
--
-- `vestige-sql migrate copy --allow-source-upgrade` makes what of this an older database lacks: tables whole, columns with
-- their defaults, and schema_version. It drops nothing and changes no row otherwise.
--
-- It is not Vestige's own migration. What it does not do: indexes, the tokenizer of the full-text index, the default row
-- of fsrs_config, and dropping the tables that version 11 dropped. A copy needs none of these. Vestige itself makes them
-- when a current version of it opens the database, which is the better upgrade for a file that Vestige goes on with.

CREATE TABLE schema_version (
    version    INTEGER PRIMARY KEY,
    applied_at TEXT NOT NULL
);

CREATE TABLE knowledge_nodes (
    id                  TEXT PRIMARY KEY,
    content             TEXT NOT NULL,
    node_type           TEXT NOT NULL DEFAULT 'fact',
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL,
    last_accessed       TEXT NOT NULL,
    stability           REAL DEFAULT 1.0,
    difficulty          REAL DEFAULT 5.0,
    reps                INTEGER DEFAULT 0,
    lapses              INTEGER DEFAULT 0,
    learning_state      TEXT DEFAULT 'new',
    storage_strength    REAL DEFAULT 1.0,
    retrieval_strength  REAL DEFAULT 1.0,
    retention_strength  REAL DEFAULT 1.0,
    sentiment_score     REAL DEFAULT 0.0,
    sentiment_magnitude REAL DEFAULT 0.0,
    next_review         TEXT,
    scheduled_days      INTEGER DEFAULT 0,
    source              TEXT,
    tags                TEXT DEFAULT '[]',
    has_embedding       INTEGER DEFAULT 0,
    embedding_model     TEXT,
    -- version 2
    valid_from          TEXT,
    valid_until         TEXT,
    -- version 4
    scope               TEXT DEFAULT 'user',
    memory_system       TEXT DEFAULT 'semantic',
    -- version 5
    activation          REAL,
    -- version 8
    waking_tag          BOOLEAN DEFAULT FALSE,
    waking_tag_at       TEXT,
    utility_score       REAL DEFAULT 0.0,
    times_retrieved     INTEGER DEFAULT 0,
    times_useful        INTEGER DEFAULT 0,
    -- version 9
    emotional_valence   REAL DEFAULT 0.0,
    flashbulb           BOOLEAN DEFAULT FALSE,
    temporal_level      TEXT,
    summary_parent_id   TEXT,
    -- version 10
    suppression_count   INTEGER DEFAULT 0,
    suppressed_at       TEXT,
    -- version 14
    protected           BOOLEAN DEFAULT FALSE,
    superseded_by       TEXT
);

CREATE TABLE node_embeddings (
    node_id    TEXT PRIMARY KEY REFERENCES knowledge_nodes (id) ON DELETE CASCADE,
    embedding  BLOB NOT NULL,
    dimensions INTEGER NOT NULL DEFAULT 768,
    model      TEXT NOT NULL DEFAULT 'BAAI/bge-base-en-v1.5',
    created_at TEXT NOT NULL,
    -- version 4
    version    INTEGER DEFAULT 1
);

-- version 3

CREATE TABLE memory_connections (
    source_id        TEXT NOT NULL REFERENCES knowledge_nodes (id) ON DELETE CASCADE,
    target_id        TEXT NOT NULL REFERENCES knowledge_nodes (id) ON DELETE CASCADE,
    strength         REAL NOT NULL,
    link_type        TEXT NOT NULL,
    created_at       TEXT NOT NULL,
    last_activated   TEXT NOT NULL,
    activation_count INTEGER DEFAULT 0,
    PRIMARY KEY (source_id, target_id)
);

CREATE TABLE memory_states (
    memory_id                TEXT PRIMARY KEY REFERENCES knowledge_nodes (id) ON DELETE CASCADE,
    state                    TEXT NOT NULL DEFAULT 'active',
    last_access              TEXT NOT NULL,
    access_count             INTEGER DEFAULT 1,
    state_entered_at         TEXT NOT NULL,
    suppression_until        TEXT,
    suppressed_by            TEXT DEFAULT '[]',
    time_active_seconds      INTEGER DEFAULT 0,
    time_dormant_seconds     INTEGER DEFAULT 0,
    time_silent_seconds      INTEGER DEFAULT 0,
    time_unavailable_seconds INTEGER DEFAULT 0
);

CREATE TABLE state_transitions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    memory_id   TEXT NOT NULL REFERENCES knowledge_nodes (id) ON DELETE CASCADE,
    from_state  TEXT NOT NULL,
    to_state    TEXT NOT NULL,
    reason_type TEXT NOT NULL,
    reason_data TEXT,
    timestamp   TEXT NOT NULL
);

CREATE TABLE fsrs_cards (
    memory_id      TEXT PRIMARY KEY REFERENCES knowledge_nodes (id) ON DELETE CASCADE,
    difficulty     REAL NOT NULL DEFAULT 5.0,
    stability      REAL NOT NULL DEFAULT 1.0,
    state          TEXT NOT NULL DEFAULT 'new',
    reps           INTEGER DEFAULT 0,
    lapses         INTEGER DEFAULT 0,
    last_review    TEXT,
    due_date       TEXT,
    elapsed_days   INTEGER DEFAULT 0,
    scheduled_days INTEGER DEFAULT 0
);

CREATE TABLE intentions (
    id               TEXT PRIMARY KEY,
    content          TEXT NOT NULL,
    trigger_type     TEXT NOT NULL,
    trigger_data     TEXT NOT NULL,
    priority         INTEGER NOT NULL DEFAULT 2,
    status           TEXT NOT NULL DEFAULT 'active',
    created_at       TEXT NOT NULL,
    deadline         TEXT,
    fulfilled_at     TEXT,
    reminder_count   INTEGER DEFAULT 0,
    last_reminded_at TEXT,
    notes            TEXT,
    tags             TEXT DEFAULT '[]',
    related_memories TEXT DEFAULT '[]',
    snoozed_until    TEXT,
    source_type      TEXT NOT NULL DEFAULT 'api',
    source_data      TEXT
);

CREATE TABLE insights (
    id              TEXT PRIMARY KEY,
    insight         TEXT NOT NULL,
    source_memories TEXT NOT NULL,
    confidence      REAL NOT NULL,
    novelty_score   REAL NOT NULL,
    insight_type    TEXT NOT NULL,
    generated_at    TEXT NOT NULL,
    tags            TEXT DEFAULT '[]',
    feedback        TEXT,
    applied_count   INTEGER DEFAULT 0
);

CREATE TABLE consolidation_history (
    id                       INTEGER PRIMARY KEY AUTOINCREMENT,
    completed_at             TEXT NOT NULL,
    duration_ms              INTEGER NOT NULL,
    memories_replayed        INTEGER DEFAULT 0,
    connections_found        INTEGER DEFAULT 0,
    connections_strengthened INTEGER DEFAULT 0,
    connections_pruned       INTEGER DEFAULT 0,
    insights_generated       INTEGER DEFAULT 0,
    memories_transferred     TEXT DEFAULT '[]',
    patterns_discovered      TEXT DEFAULT '[]',
    -- version 5
    duplicates_merged        INTEGER DEFAULT 0,
    activations_computed     INTEGER DEFAULT 0,
    w20_optimized            REAL
);

-- version 4

CREATE TABLE sessions (
    id           TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL DEFAULT 'default',
    started_at   TEXT NOT NULL,
    ended_at     TEXT,
    context      TEXT,
    memory_count INTEGER DEFAULT 0
);

-- version 5

CREATE TABLE memory_access_log (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    node_id     TEXT NOT NULL REFERENCES knowledge_nodes (id) ON DELETE CASCADE,
    access_type TEXT NOT NULL,
    accessed_at TEXT NOT NULL
);

CREATE TABLE fsrs_config (
    key        TEXT PRIMARY KEY,
    value      REAL NOT NULL,
    updated_at TEXT NOT NULL
);

-- version 6

CREATE TABLE dream_history (
    id                           INTEGER PRIMARY KEY AUTOINCREMENT,
    dreamed_at                   TEXT NOT NULL,
    duration_ms                  INTEGER NOT NULL DEFAULT 0,
    memories_replayed            INTEGER NOT NULL DEFAULT 0,
    connections_found            INTEGER NOT NULL DEFAULT 0,
    insights_generated           INTEGER NOT NULL DEFAULT 0,
    memories_strengthened        INTEGER NOT NULL DEFAULT 0,
    memories_compressed          INTEGER NOT NULL DEFAULT 0,
    -- version 9
    phase_nrem1_ms               INTEGER DEFAULT 0,
    phase_nrem3_ms               INTEGER DEFAULT 0,
    phase_rem_ms                 INTEGER DEFAULT 0,
    phase_integration_ms         INTEGER DEFAULT 0,
    summaries_generated          INTEGER DEFAULT 0,
    emotional_memories_processed INTEGER DEFAULT 0,
    creative_connections_found   INTEGER DEFAULT 0
);

-- version 8

CREATE TABLE retention_snapshots (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT,
    snapshot_at           TEXT NOT NULL,
    avg_retention         REAL NOT NULL,
    total_memories        INTEGER NOT NULL,
    memories_below_target INTEGER NOT NULL DEFAULT 0,
    gc_triggered          BOOLEAN DEFAULT FALSE
);

-- version 12

CREATE TABLE sync_tombstones (
    table_name TEXT NOT NULL,
    row_id     TEXT NOT NULL,
    deleted_at TEXT NOT NULL,
    reason     TEXT,
    PRIMARY KEY (table_name, row_id)
);

-- version 13

CREATE TABLE deletion_tombstones (
    memory_id          TEXT PRIMARY KEY,
    deleted_at         TEXT NOT NULL,
    reason             TEXT,
    node_type          TEXT NOT NULL,
    tags               TEXT NOT NULL DEFAULT '[]',
    edges_pruned       INTEGER NOT NULL DEFAULT 0,
    insights_rewritten INTEGER NOT NULL DEFAULT 0,
    insights_deleted   INTEGER NOT NULL DEFAULT 0,
    children_orphaned  INTEGER NOT NULL DEFAULT 0
);

-- version 14

CREATE TABLE merge_plans (
    id             TEXT PRIMARY KEY,
    kind           TEXT NOT NULL,
    status         TEXT NOT NULL DEFAULT 'pending',
    created_at     TEXT NOT NULL,
    applied_at     TEXT,
    survivor_id    TEXT,
    member_ids     TEXT NOT NULL DEFAULT '[]',
    confidence     REAL,
    classification TEXT,
    payload        TEXT NOT NULL
);

CREATE TABLE merge_operations (
    id            TEXT PRIMARY KEY,
    plan_id       TEXT,
    op_type       TEXT NOT NULL,
    status        TEXT NOT NULL DEFAULT 'applied',
    created_at    TEXT NOT NULL,
    reverted_at   TEXT,
    reverts_op_id TEXT,
    survivor_id   TEXT,
    affected_ids  TEXT NOT NULL DEFAULT '[]',
    confidence    REAL,
    signals       TEXT,
    reason        TEXT,
    undo_payload  TEXT NOT NULL
);

-- version 15

CREATE TABLE composition_events (
    id             TEXT PRIMARY KEY,
    created_at     TEXT NOT NULL,
    tool           TEXT NOT NULL,
    mode           TEXT NOT NULL DEFAULT 'deep_reference',
    query          TEXT,
    query_hash     TEXT,
    confidence     REAL,
    status         TEXT,
    output_preview TEXT,
    metadata       TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE composition_members (
    event_id  TEXT NOT NULL REFERENCES composition_events (id) ON DELETE CASCADE,
    memory_id TEXT NOT NULL,
    role      TEXT NOT NULL,
    rank      INTEGER NOT NULL DEFAULT 0,
    trust     REAL,
    score     REAL,
    preview   TEXT,
    metadata  TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (event_id, memory_id, role)
);

CREATE TABLE composition_outcomes (
    id               TEXT PRIMARY KEY,
    event_id         TEXT NOT NULL REFERENCES composition_events (id) ON DELETE CASCADE,
    outcome_type     TEXT NOT NULL,
    labeled_at       TEXT NOT NULL,
    label_source     TEXT NOT NULL DEFAULT 'tool',
    confidence_delta REAL,
    notes            TEXT,
    metadata         TEXT NOT NULL DEFAULT '{}'
);
