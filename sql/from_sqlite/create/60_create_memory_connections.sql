-- Make the staging table for a batch of connections, with their values as SQLite has them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it stays as it is if it is there
-- Undo:         ends with the session
-- Variables:    none

CREATE TEMPORARY TABLE IF NOT EXISTS copy_memory_connections (
    place      bigint PRIMARY KEY,
    key        text,
    problem    text,
    source_id  text,
    target_id  text,
    link_type  text,
    strength   text,
    created_at text
);
