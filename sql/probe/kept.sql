-- Show where the target's former vectors are kept, of which model they are, and since when, and whether they are there.
--
-- kept_column_size.sql and kept_table_size.sql measure the space that they take.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, kept_column, kept_table, embedding_column

SELECT
    k.place, k.model_name AS name, k.dimension, k.model_hash AS hash, k.run_id, k.kept_at,
    -- Somebody may have dropped them by hand.
    CASE k.place
        WHEN 'column' THEN EXISTS (
            SELECT
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
              AND a.attname = :'kept_column' AND NOT a.attisdropped)
        ELSE pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'kept_table'::text)) IS NOT NULL
    END AS is_there
FROM vestige_sql.kept k
WHERE k.table_schema = :'schema' AND k.table_name = :'table' AND k.column_name = :'embedding_column';
