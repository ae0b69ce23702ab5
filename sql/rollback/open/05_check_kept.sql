-- Check that vectors of a registered model are kept, and that no run is open.
--
-- The steps that follow would take an open run for the one that goes back.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column

SELECT
    vestige_sql.require(
        EXISTS (
            SELECT
            FROM vestige_sql.kept k
            WHERE k.table_schema = x.table_schema AND k.table_name = x.table_name AND k.column_name = x.column_name
              AND k.model_hash IS NOT NULL),
        format('no former vectors of %I.%I.%I are kept, or they are of no registered model; nothing was changed',
            x.table_schema, x.table_name, x.column_name),
        'there is no way back; re-embed with the former model'),
    vestige_sql.require(
        NOT EXISTS (
            SELECT
            FROM vestige_sql.run r
            WHERE r.table_schema = x.table_schema AND r.table_name = x.table_name AND r.column_name = x.column_name
              AND r.state IN ('staging', 'filling', 'applied')),
        format('a run is open on %I.%I.%I; nothing was changed', x.table_schema, x.table_name, x.column_name),
        'end it first; vestige-sql migrate status says how')
FROM (SELECT :'schema'::text, :'table'::text, :'embedding_column'::text) AS x (table_schema, table_name, column_name);
