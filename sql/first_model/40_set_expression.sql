-- Register of which columns the expression is whose texts the vectors are made from.
--
-- A column that gets another name stays the same one.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, writes the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, content_numbered, row_filter

SELECT vestige_sql.set_expression(
    pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column', :'content_numbered', :'row_filter');
