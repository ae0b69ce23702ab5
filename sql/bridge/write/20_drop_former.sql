-- Drop the map between the same two models that an earlier fit has left.
--
-- Its row stays, with who dropped it and when. Its weights go.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, there is nothing left to drop
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, map_from_dimension, map_from_hash, map_to_dimension, map_to_hash

WITH dropped AS (
    UPDATE vestige_sql.bridge b
    SET dropped_at = clock_timestamp(), dropped_by = session_user
    WHERE b.table_schema = :'schema' AND b.table_name = :'table' AND b.column_name = :'embedding_column' AND b.dropped_at IS NULL
      AND (b.from_dimension, b.from_hash) = (:map_from_dimension, :'map_from_hash')
      AND (b.to_dimension, b.to_hash) = (:map_to_dimension, :'map_to_hash')
    RETURNING b.id
),
weights AS (
    DELETE FROM vestige_sql.bridge_row w USING dropped d WHERE w.bridge = d.id
)
SELECT count(*) AS maps FROM dropped;
