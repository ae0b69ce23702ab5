-- Keep the former vectors, so that a rollback needs no encoding.
--
-- A row whose text changed during the run is left out: its former vector is of another text.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, what is kept stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    kept_table, key, content, embedding_column, schema, table, is_chosen, outdated_table, id_schema, content_numbered, content_name

INSERT INTO vestige_sql.:"kept_table" (id, content_hash, embedding)
SELECT :key, vestige_sql.content_hash(:content), t.:"embedding_column"
FROM :"schema".:"table" t
WHERE t.:"embedding_column" IS NOT NULL
  AND :is_chosen
  AND vestige_sql.has_text(:content)
  AND NOT EXISTS (SELECT FROM vestige_sql.:"outdated_table" o WHERE o.id OPERATOR(:"id_schema".=) :key)
  -- made from another column, they are of texts that are not known
  AND NOT EXISTS (
      SELECT
      FROM vestige_sql.model m
      JOIN pg_catalog.pg_attribute e ON e.attrelid = m.table_oid AND e.attnum = m.column_number AND e.attname = :'embedding_column'
      LEFT JOIN pg_catalog.pg_attribute c ON c.attrelid = m.table_oid AND c.attnum = m.content_number AND NOT c.attisdropped
      WHERE m.table_oid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
        AND m.content_column IS NOT NULL
        AND CASE WHEN m.content_numbered <> '' AND :'content_numbered' <> '' THEN m.content_numbered <> :'content_numbered'
            ELSE coalesce(c.attname::text, m.content_column) IS DISTINCT FROM :'content_name' END)
ON CONFLICT (id) DO NOTHING;
