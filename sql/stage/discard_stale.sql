-- Delete the staged vectors whose row is gone or whose text has changed.
--
-- Their rows become pending again.
--
-- Their texts changed during the run. They are noted, because their former vectors are of other texts than they have now.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to delete
-- Undo:         nothing to undo, the vectors are of no use
-- Variables:    staging_table, schema, table, key_is_k, is_chosen, content, outdated_table

WITH discarded AS (
    DELETE FROM vestige_sql.:"staging_table" k
    WHERE NOT EXISTS (
        SELECT
        FROM :"schema".:"table" t
        WHERE :key_is_k
          AND :is_chosen
          AND vestige_sql.has_text(:content)
          AND vestige_sql.content_hash(:content) = k.content_hash
    )
    RETURNING k.id
)
INSERT INTO vestige_sql.:"outdated_table" (id)
SELECT d.id FROM discarded d;
