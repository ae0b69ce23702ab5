-- Check that every row is verified, every later change noted, no note left, and every index built.
--
-- Everybody is waiting, so the step looks at the catalog and at the notes, not at the rows.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    insert_trigger, update_trigger, schema, table, embedding_column, changed_table

SELECT
    vestige_sql.require(
        coalesce(r.verified_file = pg_catalog.pg_relation_filenode(x.target), false),
        format('%s was rewritten after its rows were verified, or they were never verified; search goes on in the former vectors', x.target),
        'run sql/online/verify/*.sql again, or run vestige-sql migrate reembed --online'),
    vestige_sql.require(
        (SELECT count(*) = 2
         FROM pg_catalog.pg_trigger g
         WHERE g.tgrelid = x.target AND g.tgname IN (:'insert_trigger', :'update_trigger') AND g.tgenabled = 'A'),
        format('the triggers of %s that note changed rows were dropped or disabled; search goes on in the former vectors', x.target),
        'rows may have changed unnoticed; run vestige-sql migrate abort, and begin again'),
    vestige_sql.require(
        NOT EXISTS (
            SELECT
            FROM vestige_sql.saved_index s
            LEFT JOIN pg_catalog.pg_index i
                ON i.indexrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.table_schema, s.built_as))
            WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
              AND i.indisvalid IS NOT TRUE),
        format('an index on the new vectors of %s is not built; search goes on in the former vectors', x.target),
        'build it with sql/online/index/*.sql and sql/index/concurrently/*.sql, or run vestige-sql migrate reembed --online'),
    vestige_sql.require(
        NOT EXISTS (SELECT FROM vestige_sql.:"changed_table"),
        format('rows of %s changed and do not have their new vectors yet; search goes on in the former vectors', x.target),
        'vestige-sql migrate reembed --online encodes them')
FROM vestige_sql.run r
CROSS JOIN (SELECT pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AS target) AS x
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'filling';
