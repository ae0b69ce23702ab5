-- Save every vector index on the column as the statement that builds it for the new dimension.
--
-- Name, opclass, m, ef_construction, predicate and tablespace stay as they are. vestige_sql.index_definitions() says what
-- becomes of an index above 2,000 dimensions.
--
-- While a second column is filled, the statement builds the index on that column. The index then has another name until the
-- switch.
--
-- The indexes of partitions are saved one by one, each with the partitioned index that it is a part of.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, a definition that is kept already stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, dimension, index_column, row_filter

INSERT INTO vestige_sql.saved_index (
    table_schema, table_name, column_name, index_name, built_as, definition, index_comment, partition_schema, partition_name, attached_to
)
SELECT :'schema', :'table', :'embedding_column', d.index_name, d.built_as, d.definition, d.index_comment,
    d.partition_schema, d.partition_name, d.attached_to
FROM vestige_sql.all_indexes(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :dimension,
    nullif(:'index_column', :'embedding_column')::name, :'row_filter'
) AS d
WHERE d.definition IS NOT NULL
ON CONFLICT (table_schema, table_name, index_schema, index_name) DO UPDATE
SET column_name = excluded.column_name,
    built_as = excluded.built_as,
    definition = excluded.definition,
    -- one that was built has its comment, and its place in a partitioned index, only once the build is complete
    index_comment = coalesce(excluded.index_comment, saved_index.index_comment),
    partition_schema = excluded.partition_schema,
    partition_name = excluded.partition_name,
    attached_to = coalesce(excluded.attached_to, saved_index.attached_to),
    saved_at = now(),
    saved_by = excluded.saved_by;
