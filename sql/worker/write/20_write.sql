-- Write the vectors of claimed rows, where model and text are still those that the vectors were made with, and settle their notes.
--
-- rows is a JSON array of objects: key, content_hash and embedding. Rows without an embedding were claimed and had nothing to embed.
--
-- A vector is written only while its model is the registered one. 10_lock_target.sql has made sure that it stays so until COMMIT. It is
-- written only into a row that still has the text of this hash. The statement waits for no row that another session has locked, so it can
-- never be part of a deadlock: such a row stays noted. A row without text gets NULL, unless the column is NOT NULL. The notes of rows that
-- are gone, or that have the vector of their text, are forgotten. kept_off are the keys of rows that a trigger of the table's own kept from
-- being written.
--
-- Locks:        ROW EXCLUSIVE on the target, ACCESS SHARE on embedding_model
-- Transaction:  required
-- Fires:        no triggers, while online/quiet/ keeps them off
-- Run again:    safe, the vectors are there
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    worker, model_name, dimension, model_hash, schema, table, embedding_column, rows, content, key_is_array, may_be_null, vector_type

WITH worker AS MATERIALIZED (
    SELECT w.id, w.epoch
    FROM vestige_sql.worker w
    WHERE w.id = :worker
      AND (w.model_name, w.dimension, w.model_hash) = (:'model_name', :dimension, :'model_hash')
      AND w.table_oid = format('%I.%I', :'schema'::text, :'table'::text)::regclass
      AND NOT row_security_active(w.table_oid)
      AND EXISTS (
          SELECT FROM vestige_sql.registered_model(w.table_oid::regclass, :'embedding_column') m
          WHERE (m.model_name, m.dimension, m.model_hash) = (w.model_name, w.dimension, w.model_hash))
),
batch AS MATERIALIZED (
    SELECT b.key, decode(b.content_hash, 'hex') AS content_hash, b.embedding
    FROM jsonb_to_recordset(:'rows'::jsonb) AS b (key text[], content_hash text, embedding text)
    WHERE EXISTS (SELECT FROM worker)
      -- the table's own triggers run with this search_path, where any fires; this statement's names are read already
      AND (SELECT pg_catalog.set_config('search_path', coalesce(
          nullif(pg_catalog.current_setting('vestige_sql.search_path', true), ''), pg_catalog.current_setting('search_path')), true)) IS NOT NULL
),
locked AS MATERIALIZED (
    SELECT k.key, :content AS content, t.:"embedding_column" IS NOT NULL AS has_vector
    FROM batch k
    JOIN :"schema".:"table" t ON :key_is_array
    FOR NO KEY UPDATE OF t SKIP LOCKED
),
judged AS MATERIALIZED (
    SELECT l.key, l.hash, b.embedding, CASE
        WHEN l.hash IS NULL THEN CASE WHEN l.has_vector AND :may_be_null THEN 'clear' ELSE 'settled' END
        WHEN l.has_vector AND x.content_hash = l.hash AND x.epoch = w.epoch THEN 'settled'
        WHEN b.embedding IS NOT NULL AND b.content_hash = l.hash THEN 'write'
        END AS what
    FROM (
        SELECT l.key, l.has_vector, CASE WHEN vestige_sql.has_text(l.content) THEN vestige_sql.content_hash(l.content) END AS hash
        FROM locked l
    ) AS l
    CROSS JOIN worker w
    JOIN batch b ON b.key = l.key
    LEFT JOIN vestige_sql.worker_text x ON x.worker = w.id AND x.key = l.key
),
written AS (
    UPDATE :"schema".:"table" t
    SET :"embedding_column" = CASE k.what WHEN 'write' THEN CAST(k.embedding AS :vector_type) END
    FROM judged k
    WHERE :key_is_array AND k.what IN ('write', 'clear')
    RETURNING k.key, k.hash, k.what
),
gone AS MATERIALIZED (
    SELECT k.key FROM batch k WHERE NOT EXISTS (SELECT FROM :"schema".:"table" t WHERE :key_is_array)
),
remembered AS (
    INSERT INTO vestige_sql.worker_text AS x (worker, key, content_hash, epoch)
    SELECT w.id, d.key, d.hash, w.epoch FROM written d CROSS JOIN worker w WHERE d.what = 'write'
    ON CONFLICT (worker, key) DO UPDATE SET content_hash = excluded.content_hash, epoch = excluded.epoch
),
forgotten AS (
    DELETE FROM vestige_sql.worker_text x
    USING worker w
    WHERE x.worker = w.id AND x.key IN (SELECT g.key FROM gone g UNION ALL SELECT d.key FROM written d WHERE d.what = 'clear')
),
settled AS (
    DELETE FROM vestige_sql.worker_note n
    USING worker w
    WHERE n.worker = w.id AND n.key IN (
        SELECT d.key FROM written d UNION ALL SELECT g.key FROM gone g UNION ALL SELECT j.key FROM judged j WHERE j.what = 'settled')
    RETURNING n.key
)
SELECT
    (SELECT count(*) FROM worker) = 1 AS is_current,
    (SELECT count(*) FROM written d WHERE d.what = 'write') AS rows_written,
    (SELECT count(*) FROM written d WHERE d.what = 'clear') AS rows_cleared,
    (SELECT count(DISTINCT s.key) FROM settled s) AS rows_settled,
    ARRAY(
        SELECT to_jsonb(j.key)::text FROM judged j
        WHERE j.what IN ('write', 'clear') AND NOT EXISTS (SELECT FROM written d WHERE d.key = j.key)) AS kept_off;
