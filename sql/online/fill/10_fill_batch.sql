-- Write the staged vectors of the next rows into the second column: one batch, one short transaction.
--
-- The statement returns no row once all is filled.
--
-- Keys are taken in spans of 16 times batch_rows. Each span takes 16 passes, and a hash of the key says which pass a key
-- belongs to. So each batch changes few rows of a page. A row's new version finds room on that page, left there by an
-- earlier batch. Such an update is HOT: it leaves the indexes alone, among them the HNSW index that searches still use. If a
-- batch took whole pages at once, hardly any update would be HOT.
--
-- A vector is written only into a row that still has the text that the vector was made from. The filling does not wait for a
-- row that another session has locked, so it can never be part of a deadlock. It notes such a row as changed, and likewise
-- every other row of the batch that it did not write.
--
-- Locks:        ROW EXCLUSIVE on the target
-- Transaction:  alone
-- Fires:        no triggers, while online/quiet/ keeps them off
-- Run again:    safe, it goes on with the next rows
-- Undo:         second_column/drop.sql
-- Variables:    schema, table, embedding_column, staging_table, batch_rows, id_schema, id_sql_type, key, key_is_k, new_column, content, changed_table

WITH run AS MATERIALIZED (
    SELECT r.id, r.filled_to, r.filling_to, r.fill_passes
    FROM vestige_sql.run r
    WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
      AND r.state = 'filling'
      -- so that no trigger notes a row because it is filled
      AND pg_catalog.set_config('vestige_sql.filling', 'on', true) = 'on'
      -- the table's own triggers run with this search_path, where any fires; this statement's names are read already
      AND pg_catalog.set_config('search_path', coalesce(
          nullif(pg_catalog.current_setting('vestige_sql.search_path', true), ''), pg_catalog.current_setting('search_path')), true) IS NOT NULL
),
coming AS (
    (SELECT s.id
     FROM vestige_sql.:"staging_table" s
     WHERE (SELECT filled_to IS NULL AND filling_to IS NULL FROM run)
     ORDER BY s.id
     LIMIT 16 * :batch_rows)
    UNION ALL
    (SELECT s.id
     FROM vestige_sql.:"staging_table" s
     WHERE s.id OPERATOR(:"id_schema".>) (SELECT CAST(filled_to AS :id_sql_type) FROM run) AND (SELECT filling_to IS NULL FROM run)
     ORDER BY s.id
     LIMIT 16 * :batch_rows)
),
span AS MATERIALIZED (
    SELECT coalesce((SELECT filling_to FROM run), (SELECT c.id::text FROM coming c ORDER BY c.id DESC LIMIT 1)) AS last_key
),
batch AS MATERIALIZED (
    SELECT s.id
    FROM vestige_sql.:"staging_table" s
    WHERE (SELECT filled_to IS NULL FROM run)
      AND s.id OPERATOR(:"id_schema".<=) (SELECT CAST(last_key AS :id_sql_type) FROM span)
      AND pg_catalog.hashtext(s.id::text) & 15 = (SELECT fill_passes FROM run)
    UNION ALL
    SELECT s.id
    FROM vestige_sql.:"staging_table" s
    WHERE s.id OPERATOR(:"id_schema".>) (SELECT CAST(filled_to AS :id_sql_type) FROM run)
      AND s.id OPERATOR(:"id_schema".<=) (SELECT CAST(last_key AS :id_sql_type) FROM span)
      AND pg_catalog.hashtext(s.id::text) & 15 = (SELECT fill_passes FROM run)
),
locked AS MATERIALIZED (
    SELECT :key AS id
    FROM :"schema".:"table" t
    WHERE EXISTS (SELECT FROM batch k WHERE :key_is_k)
    FOR NO KEY UPDATE SKIP LOCKED
),
written AS (
    UPDATE :"schema".:"table" t
    SET :"new_column" = s.embedding
    FROM locked k
    JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) k.id
    WHERE :key_is_k
      AND s.content_hash = vestige_sql.content_hash(:content)
    RETURNING s.id
),
missed AS (
    INSERT INTO vestige_sql.:"changed_table" (id)
    SELECT b.id FROM batch b WHERE NOT b.id OPERATOR(:"id_schema".=) ANY (SELECT w.id FROM written w)
)
UPDATE vestige_sql.run r
SET filled_to = CASE WHEN r.fill_passes = 15 THEN s.last_key ELSE r.filled_to END,
    filling_to = CASE WHEN r.fill_passes < 15 THEN s.last_key END,
    fill_passes = (r.fill_passes + 1) % 16,
    rows_filled = r.rows_filled + (SELECT count(*) FROM written)
FROM span s
WHERE r.id = (SELECT run.id FROM run) AND s.last_key IS NOT NULL
RETURNING r.rows_filled, r.filled_to, r.fill_passes;
