-- Check that the table is as it was when the second column was made.
--
-- The live column and the key must be there. Nothing may have come to the live column that would stay with the former
-- vectors, such as a view or a constraint. Each of its vector indexes must be built on the new vectors too.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    embedding_column, key_name, id_columns, new_column, dimension, schema, table

SELECT
    vestige_sql.require(
        x.is_there,
        format('%s has no column %I any more; search goes on in its vectors, whatever it is called', x.name, :'embedding_column'::text),
        'give the column its name back, and run the same command again'),
    vestige_sql.require(
        x.has_key,
        format('%s.%s is no key any more: it is not unique and NOT NULL; search goes on in the former vectors', x.name, :'key_name'::text),
        'rows cannot be told apart; make it a key again, and run the same command again'),
    vestige_sql.require(
        x.others IS NULL,
        format('objects came to depend on %s.%I since the run began, and would stay with the former vectors: %s; search goes on in them',
            x.name, :'embedding_column'::text, x.others),
        'drop them, run the same command again, and recreate them after the switch'),
    vestige_sql.require(
        x.indexes IS NULL,
        format('an index was created on %s.%I after those on the new vectors were built: %s; search goes on in the former vectors',
            x.name, :'embedding_column'::text, x.indexes),
        'run the same command again; it builds the index on the new vectors too')
FROM (
    SELECT
        t.name,
        e.attname IS NOT NULL AS is_there,
        EXISTS (
            SELECT
            FROM pg_catalog.pg_index i
            WHERE i.indrelid = t.target
              AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
              AND ARRAY(
                  SELECT k.attname::text
                  FROM generate_series(0, i.indnkeyatts - 1) AS p (place)
                  LEFT JOIN pg_catalog.pg_attribute k
                      ON k.attrelid = i.indrelid AND k.attnum = i.indkey[p.place] AND k.attnotnull
                  ORDER BY p.place) = :'id_columns'::text[]) AS has_key,
        (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.pg_describe_object(p.classid, p.objid, p.objsubid), ', ')
         FROM pg_catalog.pg_depend p
         LEFT JOIN pg_catalog.pg_class i ON p.classid = 'pg_catalog.pg_class'::regclass AND i.oid = p.objid
         LEFT JOIN pg_catalog.pg_attrdef o ON p.classid = 'pg_catalog.pg_attrdef'::regclass AND o.oid = p.objid
         LEFT JOIN pg_catalog.pg_constraint c ON p.classid = 'pg_catalog.pg_constraint'::regclass AND c.oid = p.objid
         WHERE p.refclassid = 'pg_catalog.pg_class'::regclass AND p.refobjid = t.target AND p.refobjsubid = e.attnum
           AND NOT coalesce(vestige_sql.is_vector_index(i.oid), false)
           -- The column's own default and NOT NULL move with the switch. So do CHECK constraints about it alone that the second column has.
           AND o.adnum IS DISTINCT FROM e.attnum AND c.contype IS DISTINCT FROM 'n'
           AND NOT coalesce(c.contype = 'c' AND c.conname IN (
               SELECT k.check_name FROM vestige_sql.column_checks(t.target, e.attname, :'new_column', :dimension) AS k
               WHERE k.is_made), false)) AS others,
        (SELECT pg_catalog.string_agg(d.index_name, ', ')
         FROM vestige_sql.index_definitions(t.target, e.attname, :dimension, :'new_column') AS d
         WHERE e.attname IS NOT NULL
           AND d.definition IS NOT NULL
           AND NOT EXISTS (
               SELECT
               FROM vestige_sql.saved_index s
               WHERE s.table_schema = :'schema' AND s.table_name = :'table' AND s.column_name = :'embedding_column'
                 AND s.index_name = d.index_name)) AS indexes
    FROM (
        SELECT n.name, n.name::regclass AS target
        FROM (SELECT pg_catalog.format('%I.%I', :'schema'::text, :'table'::text) AS name) AS n
    ) AS t
    LEFT JOIN pg_catalog.pg_attribute e ON e.attrelid = t.target AND e.attname = :'embedding_column' AND NOT e.attisdropped
) AS x;
