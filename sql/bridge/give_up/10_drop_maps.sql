-- Drop the maps from and to the model of the run that is given up.
--
-- Those of a model whose vectors are live, or kept, stay. The row of a dropped map stays, with who dropped it and when. Its weights go.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, there is nothing left to drop
-- Undo:         ROLLBACK, while the transaction is open; later, stage again, and vestige-sql migrate bridge
-- Variables:    schema, table, embedding_column, oid

WITH given_up AS (
    SELECT r.to_name AS name, r.to_dimension AS dimension, r.to_hash AS hash
    FROM vestige_sql.run r
    WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
      AND r.state IN ('staging', 'filling')
    EXCEPT
    SELECT m.model_name, m.dimension, m.model_hash
    FROM vestige_sql.registered_model(:oid::oid::regclass, :'embedding_column') AS m
    EXCEPT
    SELECT k.model_name, k.dimension, k.model_hash
    FROM vestige_sql.kept k
    WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column'
),
dropped AS (
    UPDATE vestige_sql.bridge b
    SET dropped_at = clock_timestamp(), dropped_by = session_user
    FROM given_up g
    WHERE b.table_schema = :'schema' AND b.table_name = :'table' AND b.column_name = :'embedding_column' AND b.dropped_at IS NULL
      AND ((b.from_name, b.from_dimension, b.from_hash) = (g.name, g.dimension, g.hash)
        OR (b.to_name, b.to_dimension, b.to_hash) = (g.name, g.dimension, g.hash))
    RETURNING b.id
),
weights AS (
    DELETE FROM vestige_sql.bridge_row w USING dropped d WHERE w.bridge = d.id
)
SELECT count(*) AS maps FROM dropped;
