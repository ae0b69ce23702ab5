-- Remember that every row was looked at, in which file of the table, and when.
--
-- From here on, only noted changes can still be missing.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it remembers the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column

UPDATE vestige_sql.run r
SET verified_file = pg_catalog.pg_relation_filenode(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass)::bigint,
    verified_at = clock_timestamp()
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'filling';
