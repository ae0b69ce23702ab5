-- Make the staging table for a batch of reviews, with their values as SQLite has them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it stays as it is if it is there
-- Undo:         ends with the session
-- Variables:    none

CREATE TEMPORARY TABLE IF NOT EXISTS copy_review_events (
    place       bigint PRIMARY KEY,
    key         text,
    problem     text,
    memory_id   text,
    timestamp   text,
    rating      text,
    prior_state text,
    new_state   text
);
