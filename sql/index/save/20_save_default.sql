-- Save the versioned definition where the column has no vector index: HNSW for cosine distance, m = 16, ef_construction = 64.
--
-- Vestige's own table gets it. Any other table gets it only with create_index: many are searched exactly, and on purpose.
--
-- For some rows of a column, or a column without a dimension, the index is on a cast to the dimension, and of these rows alone.
--
-- pgvector indexes vector up to 2,000 dimensions and halfvec up to 4,000. A vector above 2,000 dimensions is indexed as
-- halfvec; above 4,000 there is no index.
--
-- Each partition of a partitioned table gets an index of its own, and the partitioned ones are made of these.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, a definition that is kept already stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    embedding_column, row_filter, staging_table, schema, table, keep_untyped, index_column, vector_schema, dimension, embedding_type, create_index

WITH tables AS (
    SELECT
        p.relation, p.part_of, p.level, p.is_leaf, n.nspname, c.relname,
        -- the name is taken if it is free, and short enough
        'idx_' || c.relname || '_' || :'embedding_column'::text || '_hnsw' AS name,
        -- rows of several models each have an index, and so has each partition
        'idx_' || CASE WHEN p.level = 0 AND :'row_filter' = '' THEN pg_catalog.right(:'staging_table', 16)
            ELSE pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
                CASE p.level WHEN 0 THEN :'staging_table'::text ELSE pg_catalog.format('%I.%I', n.nspname, c.relname) END
                    || :'row_filter'::text, 'UTF8')), 'hex'), 16) END || '_hnsw' AS other_name
    FROM vestige_sql.with_partitions(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass) p
    JOIN pg_catalog.pg_class c ON c.oid = p.relation
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
),
named AS (
    SELECT
        t.*,
        CASE
            WHEN octet_length(t.name) <= 63
                AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', t.nspname, t.name)) IS NULL THEN t.name
            ELSE t.other_name
        END AS index_name
    FROM tables t
)
INSERT INTO vestige_sql.saved_index (
    table_schema, table_name, column_name, index_name, built_as, definition, partition_schema, partition_name, attached_to
)
SELECT
    :'schema', :'table', :'embedding_column', x.index_name, b.built_as,
    pg_catalog.format(
        'CREATE INDEX %I ON %s%I.%I USING hnsw (%s) WITH (m = 16, ef_construction = 64)%s',
        b.built_as, CASE WHEN x.is_leaf THEN '' ELSE 'ONLY ' END, x.nspname, x.relname,
        CASE
            WHEN :'row_filter' <> '' OR :keep_untyped
                THEN pg_catalog.format('(%1$I::%2$I.%3$I(%4$s)) %2$I.%3$I_cosine_ops', :'index_column'::text, :'vector_schema'::text,
                    CASE WHEN v.is_halfvec OR :dimension > 2000 THEN 'halfvec' ELSE 'vector' END, :dimension)
            WHEN v.is_halfvec
                THEN pg_catalog.format('%I %I.halfvec_cosine_ops', :'index_column'::text, :'vector_schema'::text)
            WHEN :dimension > 2000
                THEN pg_catalog.format('(%I::%I.halfvec(%s)) %I.halfvec_cosine_ops',
                    :'index_column'::text, :'vector_schema'::text, :dimension, :'vector_schema'::text)
            ELSE pg_catalog.format('%I %I.vector_cosine_ops', :'index_column'::text, :'vector_schema'::text)
        END,
        coalesce(' WHERE ' || nullif(:'row_filter'::text, ''), '')),
    CASE WHEN x.level > 0 THEN x.nspname END, CASE WHEN x.level > 0 THEN x.relname END,
    (SELECT pg_catalog.format('%I.%I', o.nspname, o.index_name) FROM named o WHERE o.relation = x.part_of)
FROM named x
CROSS JOIN (
    SELECT
        :'embedding_type' = 'halfvec' AS is_halfvec,
        pg_catalog.to_regtype(pg_catalog.format('%I.halfvec', :'vector_schema'::text)) IS NOT NULL AS halfvec_exists
) AS v
CROSS JOIN LATERAL (VALUES (
    CASE :'index_column' WHEN :'embedding_column' THEN x.index_name ELSE vestige_sql.other_index_name(x.index_name) END
)) AS b (built_as)
WHERE (:create_index
       OR :'table' = 'knowledge_nodes' AND :'embedding_column' = 'embedding'
          AND pg_catalog.to_regclass(pg_catalog.format('%I.embedding_model', :'schema'::text)) IS NOT NULL)
  AND (:dimension <= 2000 OR v.halfvec_exists AND :dimension <= 4000)
  AND NOT EXISTS (
      SELECT FROM vestige_sql.all_indexes(
          pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :dimension, NULL, :'row_filter'))
  AND NOT EXISTS (
      SELECT FROM vestige_sql.saved_index s
      WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column');
