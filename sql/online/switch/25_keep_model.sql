-- Remember which model the kept vectors are of, and the names of the live column's vector indexes.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  required
-- Run again:    safe, it remembers the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

INSERT INTO vestige_sql.kept (
    table_schema, table_name, column_name, place, model_name, dimension, model_hash, index_names, run_id, home, table_oid
)
SELECT
    r.table_schema, r.table_name, r.column_name, 'column', m.model_name, m.dimension, m.model_hash,
    ARRAY(
        SELECT s.index_name FROM vestige_sql.saved_index s
        WHERE s.table_schema = r.table_schema AND s.table_name = r.table_name AND s.column_name = r.column_name
        UNION
        SELECT d.index_name
        FROM vestige_sql.index_definitions(
            pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', NULL) AS d
    ),
    r.id, r.home, r.table_oid
FROM vestige_sql.run r
-- it is known of which model they are, or it is not
LEFT JOIN LATERAL vestige_sql.registered_model(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column') AS m ON true
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'filling'
-- A row may be left of vectors that somebody dropped by hand.
ON CONFLICT (table_schema, table_name, column_name) DO UPDATE
SET place = excluded.place,
    model_name = excluded.model_name,
    dimension = excluded.dimension,
    model_hash = excluded.model_hash,
    index_names = excluded.index_names,
    run_id = excluded.run_id,
    home = excluded.home,
    table_oid = excluded.table_oid,
    guard = CASE kept.run_id WHEN excluded.run_id THEN kept.guard END,
    kept_at = CASE kept.run_id WHEN excluded.run_id THEN kept.kept_at ELSE excluded.kept_at END;
