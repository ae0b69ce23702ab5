-- Register which column's or expression's texts the vectors are made from.
--
-- Whoever fills in what is missing from another column is refused.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, writes the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, content_name, row_filter

SELECT vestige_sql.set_text(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :'content_name', :'row_filter');
