-- Save the versioned definition where the column has no vector index: HNSW for cosine distance, m = 16, ef_construction = 64.
--
-- Vestige's own table gets it. Any other table gets it only with create_index: many are searched exactly, and on purpose.
--
-- For some rows of a column, or a column without a dimension, the index is on a cast to the dimension, and of these rows alone.
--
-- pgvector indexes vector up to 2,000 dimensions and halfvec up to 4,000. A vector above 2,000 dimensions is indexed as
-- halfvec; above 4,000 there is no index.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, a definition that is kept already stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, row_filter, keep_untyped, index_column, vector_schema, dimension, staging_table, embedding_type, create_index

INSERT INTO vestige_sql.saved_index (table_schema, table_name, column_name, index_name, built_as, definition)
SELECT
    :'schema', :'table', :'embedding_column', x.index_name, b.built_as,
    pg_catalog.format(
        'CREATE INDEX %I ON %I.%I USING hnsw (%s) WITH (m = 16, ef_construction = 64)%s',
        b.built_as, :'schema'::text, :'table'::text,
        CASE
            WHEN :'row_filter' <> '' OR :keep_untyped
                THEN pg_catalog.format('(%1$I::%2$I.%3$I(%4$s)) %2$I.%3$I_cosine_ops', :'index_column'::text, :'vector_schema'::text,
                    CASE WHEN x.is_halfvec OR :dimension > 2000 THEN 'halfvec' ELSE 'vector' END, :dimension)
            WHEN x.is_halfvec
                THEN pg_catalog.format('%I %I.halfvec_cosine_ops', :'index_column'::text, :'vector_schema'::text)
            WHEN :dimension > 2000
                THEN pg_catalog.format('(%I::%I.halfvec(%s)) %I.halfvec_cosine_ops',
                    :'index_column'::text, :'vector_schema'::text, :dimension, :'vector_schema'::text)
            ELSE pg_catalog.format('%I %I.vector_cosine_ops', :'index_column'::text, :'vector_schema'::text)
        END,
        coalesce(' WHERE ' || nullif(:'row_filter'::text, ''), ''))
FROM (
    SELECT
        CASE
            -- the name is free, and short enough
            WHEN octet_length(n.name) <= 63
                AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', :'schema'::text, n.name)) IS NULL THEN n.name
            -- rows of several models each have an index
            ELSE 'idx_' || CASE :'row_filter' WHEN '' THEN pg_catalog.right(:'staging_table', 16) ELSE pg_catalog.left(pg_catalog.encode(
                pg_catalog.sha256(pg_catalog.convert_to(:'staging_table'::text || :'row_filter'::text, 'UTF8')), 'hex'), 16) END || '_hnsw'
        END AS index_name,
        :'embedding_type' = 'halfvec' AS is_halfvec,
        pg_catalog.to_regtype(pg_catalog.format('%I.halfvec', :'vector_schema'::text)) IS NOT NULL AS halfvec_exists
    FROM (VALUES ('idx_' || :'table'::text || '_' || :'embedding_column'::text || '_hnsw')) AS n (name)
) AS x
CROSS JOIN LATERAL (VALUES (
    CASE :'index_column' WHEN :'embedding_column' THEN x.index_name ELSE vestige_sql.other_index_name(x.index_name) END
)) AS b (built_as)
WHERE (:create_index
       OR :'table' = 'knowledge_nodes' AND :'embedding_column' = 'embedding'
          AND pg_catalog.to_regclass(pg_catalog.format('%I.embedding_model', :'schema'::text)) IS NOT NULL)
  AND (:dimension <= 2000 OR x.halfvec_exists AND :dimension <= 4000)
  AND NOT EXISTS (
      SELECT FROM vestige_sql.rows_index_definitions(
          pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :dimension, NULL, :'row_filter'))
  AND NOT EXISTS (
      SELECT FROM vestige_sql.saved_index s
      WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column');
