-- Bring the second column up to date with the next changed rows: one batch, one short transaction.
--
-- The batch is the first notes behind after_change. The notes of rows that are up to date are forgotten. The step counts the
-- notes that it leaves behind, and returns the last one that it looked at.
--
-- A row without text gets NULL, and a row that is gone is forgotten. A row stays noted, once, if another session has locked
-- it or if its text has no staged vector yet. So does a row without text where the column is NOT NULL.
--
-- Locks:        ROW EXCLUSIVE on the target
-- Transaction:  alone
-- Fires:        no triggers, while online/quiet/ keeps them off
-- Run again:    safe, it goes on with the next rows
-- Undo:         second_column/drop.sql
-- Variables:    changed_table, after_change, batch_rows, key, content, new_column, schema, table, key_is_k, vector_schema, staging_table, id_schema

WITH batch AS MATERIALIZED (
    SELECT c.change, c.id
    FROM vestige_sql.:"changed_table" c
    -- so that no trigger notes a row again because it is written
    WHERE (SELECT pg_catalog.set_config('vestige_sql.filling', 'on', true)) = 'on'
      -- the table's own triggers run with this search_path, where any fires; this statement's names are read already
      AND (SELECT pg_catalog.set_config('search_path', coalesce(
          nullif(pg_catalog.current_setting('vestige_sql.search_path', true), ''), pg_catalog.current_setting('search_path')), true)) IS NOT NULL
      AND c.change > :after_change
    ORDER BY c.change
    LIMIT :batch_rows
),
locked AS MATERIALIZED (
    SELECT :key AS id, :content AS content, t.:"new_column" AS embedding
    FROM :"schema".:"table" t
    WHERE EXISTS (SELECT FROM batch k WHERE :key_is_k)
    FOR NO KEY UPDATE SKIP LOCKED
),
due AS MATERIALIZED (
    SELECT l.id, s.embedding,
        num_nulls(l.embedding, s.embedding) = 2 OR (l.embedding OPERATOR(:"vector_schema".=) s.embedding) IS TRUE AS is_there
    FROM locked l
    LEFT JOIN vestige_sql.:"staging_table" s
        ON s.id OPERATOR(:"id_schema".=) l.id
        AND vestige_sql.has_text(l.content)
        AND s.content_hash = vestige_sql.content_hash(l.content)
    WHERE s.id IS NOT NULL
       OR NOT vestige_sql.has_text(l.content) AND NOT (
           SELECT a.attnotnull
           FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attname = :'new_column')
),
written AS (
    UPDATE :"schema".:"table" t
    SET :"new_column" = k.embedding
    FROM due k
    WHERE :key_is_k AND NOT k.is_there
    RETURNING k.id
),
forgotten AS (
    DELETE FROM vestige_sql.:"changed_table" c
    USING batch k
    WHERE c.change = k.change
      -- a trigger of the table's own may have kept a row from being written
      AND (k.id OPERATOR(:"id_schema".=) ANY (SELECT w.id FROM written w UNION ALL SELECT d.id FROM due d WHERE d.is_there)
           OR EXISTS (SELECT FROM batch later WHERE later.id OPERATOR(:"id_schema".=) k.id AND later.change > k.change)
           OR NOT EXISTS (SELECT FROM :"schema".:"table" t WHERE :key_is_k))
    RETURNING c.change
)
SELECT
    count(*) AS forgotten,
    (SELECT count(*) FROM batch) - count(*) AS left_behind,
    (SELECT max(b.change) FROM batch b) AS last_change
FROM forgotten;
