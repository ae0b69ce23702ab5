-- Check that the catalog has no typmod for the column any more.
--
-- If it has one, the runner undoes this way and takes apply/swap/.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT vestige_sql.require(
    a.atttypmod = -1,
    format('%I.%I.%I still has the typmod %s after it was widened; the transaction is undone',
        :'schema'::text, :'table'::text, :'embedding_column'::text, a.atttypmod),
    'apply with --apply rewrite or --apply swap'
)
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = format('%I.%I', :'schema'::text, :'table'::text)::regclass
  AND a.attname = :'embedding_column';
