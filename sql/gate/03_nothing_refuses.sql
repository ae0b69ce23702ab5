-- Check that nothing rules the way out, and remember the way for apply/ and online/.
--
-- probe/refusals/ has looked for what rules it out, in this very transaction.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    way, schema, table, embedding_column

SELECT
    vestige_sql.require(
        x.refused ->> 'of' IS NOT DISTINCT FROM x."column",
        format('this transaction has not looked for what rules out %s of %s; the table is as it was', :'way'::text, x."column"),
        'run the files of sql/probe/refusals/ before those of sql/gate/, in the same transaction (psql -1)'),
    vestige_sql.require(
        NOT x.refused -> 'ways' ? :'way',
        x.refused #>> ARRAY['ways', :'way', 'message'],
        x.refused #>> ARRAY['ways', :'way', 'hint']),
    pg_catalog.set_config('vestige_sql.gated', format('%s of %s', :'way'::text, x."column"), true) AS gated
FROM (
    SELECT
        nullif(current_setting('vestige_sql.refused', true), '')::jsonb AS refused,
        format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS "column"
) AS x;
