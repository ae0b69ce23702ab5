-- Leave out each kept vector whose row is gone or has another text by now.
--
-- A row with another text has NULL afterwards. The vector that it has now may be of that text or of an earlier one, and is not kept.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, there is nothing left to discard
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    staging_table, schema, table, key_is_k, is_chosen, content, id_schema, key, outdated_table

WITH discarded AS (
    DELETE FROM vestige_sql.:"staging_table" s
    USING vestige_sql.:"staging_table" k
    LEFT JOIN :"schema".:"table" t
        ON :key_is_k AND :is_chosen AND k.content_hash = vestige_sql.content_hash(:content)
    WHERE s.id OPERATOR(:"id_schema".=) k.id AND :key IS NULL
    RETURNING s.id
)
INSERT INTO vestige_sql.:"outdated_table" (id)
SELECT d.id FROM discarded d;
