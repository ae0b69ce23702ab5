-- Check that the gate has let this way through in this very transaction, and no other way.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT vestige_sql.require(
    current_setting('vestige_sql.gated', true) IS NOT DISTINCT FROM format('rows of %s', x."column"),
    format('the gate has not let %s of %s through in this transaction; the table is as it was', 'rows', x."column"),
    'run the files of sql/probe/refusals/ and sql/gate/ before these, with -v way=rows, in the same transaction (psql -1)')
FROM (SELECT format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS "column") AS x;
