-- Remember which model the kept vectors are of now, and the names of the live column's vector indexes.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  required
-- Run again:    safe, it remembers the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

UPDATE vestige_sql.kept k
SET model_name = m.model_name,
    dimension = m.dimension,
    model_hash = m.model_hash,
    index_names = ARRAY(
        SELECT pg_catalog.unnest(k.index_names)
        UNION
        SELECT d.index_name
        FROM vestige_sql.index_definitions(
            pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', NULL) AS d
    ),
    run_id = r.id,
    home = r.home,
    table_oid = r.table_oid,
    kept_at = clock_timestamp()
FROM vestige_sql.run r
-- it is known of which model they are, or it is not
LEFT JOIN LATERAL vestige_sql.registered_model(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column') AS m ON true
WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column'
  AND r.table_schema = k.table_schema AND r.table_name = k.table_name AND r.column_name = k.column_name
  AND r.state = 'filling';
