-- Check that the staging table and the target's columns still have the types they had when staging began.
--
-- The staging table must be as it was made, with its primary key. The target's columns must be there, and its key and
-- vectors must have the same types.
--
-- Somebody may have altered either since. Without its primary key the staging table may hold two vectors of a row. Without
-- its column's typmod it may hold vectors of any dimension.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    staging_table, schema, table, id_columns, content_columns, embedding_column, dimension

SELECT vestige_sql.require(
    count(*) = 0,
    format('the staging table vestige_sql.%I does not fit %I.%I: %s; the table is as it was',
        :'staging_table'::text, :'schema'::text, :'table'::text, pg_catalog.string_agg(f.fault, ', ' ORDER BY f.fault)),
    'somebody altered it, or a column of the table, since staging began; undo that and run the same command again, '
    'or run vestige-sql migrate abort and begin again'
)
FROM (
    SELECT
        pg_catalog.to_regclass(pg_catalog.format('vestige_sql.%I', :'staging_table'::text)) AS staging,
        pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AS target
) AS x
CROSS JOIN LATERAL (
    SELECT 'it is gone' AS fault WHERE x.staging IS NULL
    UNION ALL
    SELECT pg_catalog.format('the table has no column %I', c.name)
    FROM unnest(:'id_columns'::text[] || :'content_columns'::text[] || ARRAY[:'embedding_column']::text[]) AS c (name)
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_attribute t
        WHERE t.attrelid = x.target AND t.attname = c.name AND NOT t.attisdropped)
    UNION ALL
    SELECT pg_catalog.format('%s is %s and should be %s', w.name,
        coalesce(pg_catalog.format_type(a.atttypid, a.atttypmod), 'missing'), pg_catalog.format_type(w.atttypid, w.atttypmod))
    FROM (
        -- a key of several columns is a field a column
        SELECT CASE cardinality(:'id_columns'::text[]) WHEN 1 THEN 'id' ELSE 'f' || u.place END AS name,
            CASE cardinality(:'id_columns'::text[]) WHEN 1 THEN x.staging::oid ELSE (
                SELECT y.typrelid
                FROM pg_catalog.pg_attribute i
                JOIN pg_catalog.pg_type y ON y.oid = i.atttypid
                WHERE i.attrelid = x.staging AND i.attname = 'id') END AS of,
            t.atttypid, t.atttypmod, t.attcollation
        FROM unnest(:'id_columns'::text[]) WITH ORDINALITY AS u (name, place)
        JOIN pg_catalog.pg_attribute t ON t.attrelid = x.target AND t.attname = u.name
        UNION ALL
        SELECT 'content_hash', x.staging, 'pg_catalog.bytea'::regtype, -1, 0
        UNION ALL
        SELECT 'embedding', x.staging, t.atttypid, :dimension, 0
        FROM pg_catalog.pg_attribute t
        WHERE t.attrelid = x.target AND t.attname = :'embedding_column'
    ) AS w
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = w.of AND a.attname = w.name AND NOT a.attisdropped
    WHERE x.staging IS NOT NULL
      AND (a.atttypid, a.atttypmod, a.attcollation) IS DISTINCT FROM (w.atttypid, w.atttypmod, w.attcollation)
    UNION ALL
    SELECT 'its primary key on id is gone'
    WHERE x.staging IS NOT NULL
      AND NOT EXISTS (
          SELECT
          FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = 'id'
          WHERE i.indrelid = x.staging AND i.indisprimary AND i.indisvalid AND i.indnkeyatts = 1)
) AS f;
