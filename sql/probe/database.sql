-- Say which database this is, and when the open run of the target began: no other has all of these.
--
-- The server has its system_identifier from initdb. A copy of the database on another server, or under another name, differs in
-- one of them.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT
    current_database()::text AS database_name,
    (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c)::text AS system_identifier,
    (SELECT max(pg_catalog.format('%s of %s', r.id, extract(epoch FROM r.started_at)))
     FROM vestige_sql.run r
     WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
       AND r.state IN ('staging', 'filling', 'applied')) AS run_begun;
