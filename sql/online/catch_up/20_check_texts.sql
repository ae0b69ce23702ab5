-- Check that every changed row has a text, where the second column is NOT NULL.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, key, changed_table, key_is_k, content, new_column

SELECT vestige_sql.require(
    b.rows = 0,
    format('%I.%I.%I is NOT NULL, and %s changed rows have no text to embed, such as that with the key %s; search goes on in the former vectors',
        :'schema'::text, :'table'::text, :'embedding_column'::text, b.rows, b.key),
    'give them text or delete them, and run the same command again; vestige-sql migrate abort gives the run up')
FROM (
    SELECT count(*) AS rows, min((:key)::text) AS key
    FROM vestige_sql.:"changed_table" k
    JOIN :"schema".:"table" t ON :key_is_k
    WHERE NOT vestige_sql.has_text(:content)
      AND EXISTS (
          SELECT FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
            AND a.attname = :'new_column' AND a.attnotnull)
) AS b;
