-- Make the staging table for a batch of domains, with their values as SQLite has them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it stays as it is if it is there
-- Undo:         ends with the session
-- Variables:    vector_schema

CREATE TEMPORARY TABLE IF NOT EXISTS copy_domains (
    place        bigint PRIMARY KEY,
    key          text,
    problem      text,
    id           text,
    label        text,
    top_terms    text,
    memory_count text,
    created_at   text,
    metadata     text,
    columns      text,
    centroid     :"vector_schema".vector
);
