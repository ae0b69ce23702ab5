-- Drop the staged vectors of changed rows whose text has changed since.
--
-- These rows become pending again.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to discard
-- Undo:         stage again
-- Variables:    staging_table, id_schema, changed_table, schema, table, key_is_k, content

DELETE FROM vestige_sql.:"staging_table" k
WHERE k.id OPERATOR(:"id_schema".=) ANY (SELECT c.id FROM vestige_sql.:"changed_table" c)
  AND NOT EXISTS (
      SELECT
      FROM :"schema".:"table" t
      WHERE :key_is_k
        AND vestige_sql.has_text(:content)
        AND vestige_sql.content_hash(:content) = k.content_hash
  );
