-- Make the staging table for a batch of memories, with their values as SQLite has them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it stays as it is if it is there
-- Undo:         ends with the session
-- Variables:    vector_schema

CREATE TEMPORARY TABLE IF NOT EXISTS copy_knowledge_nodes (
    place              bigint PRIMARY KEY,
    key                text,
    problem            text,
    id                 text,
    content            text,
    node_type          text,
    tags               text,
    metadata           text,
    domains            text,
    domain_scores      text,
    codebase           text,
    owner_user_id      text,
    visibility         text,
    shared_with_groups text,
    created_at         text,
    updated_at         text,
    stability          text,
    difficulty         text,
    retrieval_strength text,
    last_accessed      text,
    next_review        text,
    reps               text,
    lapses             text,
    columns            text,
    embedding          :"vector_schema".vector
);
