-- Bring the second column up to date with the changed rows that are noted first, and forget those that are: one batch, one
-- short transaction. Counts the notes that are left behind.
--
-- A row that has no text gets NULL, one that is gone is forgotten. One that is locked by another session, or whose text has
-- no staged vector yet, stays noted.
--
-- Locks:        ROW EXCLUSIVE on the target
-- Transaction:  alone
-- Rewrites:     nothing
-- Fires:        no triggers, while online/quiet/ keeps them off
-- Run again:    safe, it goes on with the next rows
-- Undo:         abort/column/
-- Variables:    changed_table, batch_rows, id_column, schema, table, new_column, content_column, staging_table

WITH batch AS MATERIALIZED (
    SELECT c.change, c.id FROM vestige_sql.:"changed_table" c ORDER BY c.change LIMIT :batch_rows
),
locked AS MATERIALIZED (
    SELECT t.:"id_column" AS id
    FROM :"schema".:"table" t
    WHERE t.:"id_column" IN (SELECT b.id FROM batch b)
    FOR NO KEY UPDATE SKIP LOCKED
),
written AS (
    UPDATE :"schema".:"table" t
    SET :"new_column" = CASE WHEN vestige_sql.has_text(t.:"content_column"::text) THEN s.embedding END
    FROM locked l
    LEFT JOIN vestige_sql.:"staging_table" s ON s.id = l.id
    WHERE t.:"id_column" = l.id
      AND (NOT vestige_sql.has_text(t.:"content_column"::text)
           OR s.content_hash = vestige_sql.content_hash(t.:"content_column"::text))
    RETURNING l.id
),
forgotten AS (
    DELETE FROM vestige_sql.:"changed_table" c
    USING batch b
    WHERE c.change = b.change
      AND (b.id IN (SELECT w.id FROM written w)
           OR NOT EXISTS (SELECT FROM :"schema".:"table" t WHERE t.:"id_column" = b.id))
    RETURNING c.change
)
SELECT count(*) AS forgotten, (SELECT count(*) FROM batch) - count(*) AS left_behind
FROM forgotten;
