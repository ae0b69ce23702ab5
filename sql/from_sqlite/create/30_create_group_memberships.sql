-- Make the staging table for a batch of memberships, with their values as SQLite has them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it stays as it is if it is there
-- Undo:         ends with the session
-- Variables:    none

CREATE TEMPORARY TABLE IF NOT EXISTS copy_group_memberships (
    place     bigint PRIMARY KEY,
    key       text,
    problem   text,
    user_id   text,
    group_id  text,
    role      text,
    joined_at text
);
