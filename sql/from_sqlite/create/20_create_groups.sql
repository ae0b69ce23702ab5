-- Make the staging table for a batch of groups, with their values as SQLite has them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it stays as it is if it is there
-- Undo:         ends with the session
-- Variables:    none

CREATE TEMPORARY TABLE IF NOT EXISTS copy_groups (
    place        bigint PRIMARY KEY,
    key          text,
    problem      text,
    id           text,
    handle       text,
    display_name text,
    created_at   text,
    metadata     text,
    columns      text
);
