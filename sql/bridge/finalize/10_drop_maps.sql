-- Drop the maps from and to a former model: one that is neither the live one nor that of an open run.
--
-- Questions of the former model are refused from then on. The row of a dropped map stays, with who dropped it and when. Its weights go.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, there is nothing left to drop
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    oid, embedding_column, schema, table

WITH stays AS (
    SELECT m.model_name AS name, m.dimension, m.model_hash AS hash
    FROM vestige_sql.registered_model(:oid::oid::regclass, :'embedding_column') AS m
    UNION ALL
    SELECT r.to_name, r.to_dimension, r.to_hash
    FROM vestige_sql.run r
    WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
      AND r.state IN ('staging', 'filling')
),
dropped AS (
    UPDATE vestige_sql.bridge b
    SET dropped_at = clock_timestamp(), dropped_by = session_user
    WHERE b.table_schema = :'schema' AND b.table_name = :'table' AND b.column_name = :'embedding_column' AND b.dropped_at IS NULL
      AND NOT (
          EXISTS (SELECT FROM stays s WHERE (s.name, s.dimension, s.hash) = (b.from_name, b.from_dimension, b.from_hash))
          AND EXISTS (SELECT FROM stays s WHERE (s.name, s.dimension, s.hash) = (b.to_name, b.to_dimension, b.to_hash)))
    RETURNING b.id
),
weights AS (
    DELETE FROM vestige_sql.bridge_row w USING dropped d WHERE w.bridge = d.id
)
SELECT count(*) AS maps FROM dropped;
