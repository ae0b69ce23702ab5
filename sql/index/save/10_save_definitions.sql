-- Save every vector index on the column as the statement that builds it for the new dimension.
--
-- Name, opclass, m, ef_construction, predicate and tablespace stay as they are. vestige_sql.index_definitions() says what
-- becomes of an index above 2,000 dimensions.
--
-- While a second column is filled, the statement builds the index on that column. The index then has another name until the
-- switch.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    safe, a definition that is kept already stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, dimension, index_column, row_filter

INSERT INTO vestige_sql.saved_index (table_schema, table_name, column_name, index_name, built_as, definition, index_comment)
SELECT :'schema', :'table', :'embedding_column', d.index_name, d.built_as, d.definition, d.index_comment
FROM vestige_sql.rows_index_definitions(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :dimension,
    nullif(:'index_column', :'embedding_column')::name, :'row_filter'
) AS d
WHERE d.definition IS NOT NULL
ON CONFLICT (table_schema, table_name, index_name) DO UPDATE
SET column_name = excluded.column_name,
    built_as = excluded.built_as,
    definition = excluded.definition,
    index_comment = excluded.index_comment,
    saved_at = now(),
    saved_by = excluded.saved_by;
