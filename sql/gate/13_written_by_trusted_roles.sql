-- Check that trusted roles wrote what is carried out as it stands: the open run, and each saved definition of an index.
--
-- index/create/ and index/concurrently/ run the definitions as they are, and ask the same.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT
    (SELECT count(vestige_sql.checked_definition(s))
     FROM vestige_sql.saved_index s
     WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column') AS definitions_checked,
    (SELECT count(vestige_sql.checked_author(
         r.started_by, pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass))
     FROM vestige_sql.run r
     WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
       AND r.state IN ('staging', 'filling', 'applied')) AS runs_checked;
