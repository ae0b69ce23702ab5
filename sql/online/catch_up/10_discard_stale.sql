-- Drop the staged vectors of changed rows whose text has changed since.
--
-- These rows become pending again.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to discard
-- Undo:         stage again
-- Variables:    staging_table, id_schema, changed_table, schema, table, id_column, content_column

DELETE FROM vestige_sql.:"staging_table" s
WHERE s.id OPERATOR(:"id_schema".=) ANY (SELECT c.id FROM vestige_sql.:"changed_table" c)
  AND NOT EXISTS (
      SELECT
      FROM :"schema".:"table" t
      WHERE t.:"id_column" OPERATOR(:"id_schema".=) s.id
        AND vestige_sql.has_text(t.:"content_column"::text)
        AND vestige_sql.content_hash(t.:"content_column"::text) = s.content_hash
  );
