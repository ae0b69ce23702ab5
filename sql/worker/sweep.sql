-- Note the rows among some blocks of the table whose vectors are not those of their texts.
--
-- since is the number of a transaction, or NULL for every row. With it only rows are hashed that were written by that transaction or later
-- ones. A row that is noted already is left alone.
--
-- Of a vector that nobody has taken note of, it is not known which text it was made from. With adopt, it is taken to be of the text that
-- its row has now. Else its row is noted, and embedded anew. After a switch, the vectors of rows that have not changed since are adopted.
--
-- Nothing happens where another model is registered than the worker's, or where the name is another table's by now.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, what is noted stays
-- Undo:         DELETE FROM vestige_sql.worker_note
-- Variables:    worker, model_name, dimension, model_hash, schema, table, embedding_column, key_array, content, first_block, end_block, since, may_be_null, adopt

WITH worker AS MATERIALIZED (
    SELECT w.id, w.epoch
    FROM vestige_sql.worker w
    WHERE w.id = :worker
      AND (w.model_name, w.dimension, w.model_hash) = (:'model_name', :dimension, :'model_hash')
      AND w.table_oid = format('%I.%I', :'schema'::text, :'table'::text)::regclass
      AND EXISTS (
          SELECT FROM vestige_sql.registered_model(w.table_oid::regclass, :'embedding_column') m
          WHERE (m.model_name, m.dimension, m.model_hash) = (w.model_name, w.dimension, w.model_hash))
),
page AS (
    SELECT :key_array AS key, t.:"embedding_column" IS NOT NULL AS has_vector,
        CASE WHEN vestige_sql.has_text(:content) THEN vestige_sql.content_hash(:content) END AS hash
    FROM :"schema".:"table" t
    WHERE t.ctid >= format('(%s,0)', :first_block)::tid AND t.ctid < format('(%s,0)', :end_block)::tid
      -- xmin has the last 32 bits of a transaction's number
      AND (:since::bigint IS NULL OR (t.xmin::text::bigint - :since::bigint % 4294967296 + 4294967296) % 4294967296 < 2147483648)
),
judged AS MATERIALIZED (
    SELECT w.id, w.epoch, p.key, p.hash, CASE
        WHEN p.hash IS NULL THEN CASE WHEN p.has_vector AND :may_be_null THEN 'note' END
        WHEN NOT p.has_vector OR x.content_hash <> p.hash THEN 'note'
        WHEN x.key IS NULL OR x.epoch <> w.epoch THEN CASE WHEN :adopt THEN 'adopt' ELSE 'note' END
        END AS what
    FROM page p
    CROSS JOIN worker w
    -- Both are looked up by their indexes, row by row: a join would read all of them for each page. OFFSET keeps it from being one.
    LEFT JOIN LATERAL (
        SELECT x.key, x.content_hash, x.epoch FROM vestige_sql.worker_text x WHERE x.worker = w.id AND x.key = p.key OFFSET 0
    ) AS x ON true
    WHERE NOT EXISTS (SELECT FROM vestige_sql.worker_note n WHERE n.worker = w.id AND n.key = p.key OFFSET 0)
),
noted AS (
    INSERT INTO vestige_sql.worker_note (worker, key)
    SELECT j.id, j.key FROM judged j WHERE j.what = 'note'
    RETURNING note
),
adopted AS (
    INSERT INTO vestige_sql.worker_text AS x (worker, key, content_hash, epoch)
    SELECT j.id, j.key, j.hash, j.epoch FROM judged j WHERE j.what = 'adopt'
    ON CONFLICT (worker, key) DO UPDATE SET content_hash = excluded.content_hash, epoch = excluded.epoch
    RETURNING x.key
)
SELECT
    (SELECT count(*) FROM worker) = 1 AS is_current,
    (SELECT count(*) FROM noted) AS rows_noted,
    (SELECT count(*) FROM adopted) AS rows_adopted;
