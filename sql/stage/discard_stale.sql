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
-- Variables:    staging_table, schema, table, id_column, id_schema, content_column, outdated_table

WITH discarded AS (
    DELETE FROM vestige_sql.:"staging_table" s
    WHERE NOT EXISTS (
        SELECT
        FROM :"schema".:"table" t
        WHERE t.:"id_column" OPERATOR(:"id_schema".=) s.id
          AND vestige_sql.has_text(t.:"content_column"::text)
          AND vestige_sql.content_hash(t.:"content_column"::text) = s.content_hash
    )
    RETURNING s.id
)
INSERT INTO vestige_sql.:"outdated_table" (id)
SELECT d.id FROM discarded d;
