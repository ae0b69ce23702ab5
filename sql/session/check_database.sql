-- Check that this is the database that a script was printed for, and that its run is still open.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    database_name, system_identifier, schema, table, embedding_column, run_begun

SELECT
    vestige_sql.require(
        current_database() = :'database_name',
        pg_catalog.format('this script was printed for the database %s, and this is %s', :'database_name'::text, current_database()),
        'run it in that one, or print another for this one: vestige-sql migrate sql; nothing was written'),
    vestige_sql.require(
        (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c)::text = :'system_identifier',
        pg_catalog.format('this script was printed for the database %s of another server', :'database_name'::text),
        'run it on that one, or print another for this one: vestige-sql migrate sql; nothing was written'),
    vestige_sql.require(
        EXISTS (
            SELECT FROM vestige_sql.run r
            WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
              AND r.state IN ('staging', 'filling', 'applied')
              AND pg_catalog.format('%s of %s', r.id, extract(epoch FROM r.started_at)) = :'run_begun'),
        pg_catalog.format('the run that this script was printed for is not open any more, on %I.%I.%I',
            :'schema'::text, :'table'::text, :'embedding_column'::text),
        'vestige-sql migrate status says what became of it; if another is open, print its script: vestige-sql migrate sql; nothing was written');
