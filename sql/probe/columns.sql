-- Name the target's key, its text and its vectors: as they were named, or as the table says where they were not.
--
-- Without a name, the key is the primary key, whatever it is called, or the only unique NOT NULL key. The text is the column
-- content, or the only column of text, where no expression is named. The vectors are the only column of vectors. What a run adds to the table does not
-- count. A name that stays empty could not be found, or there are several: refusals/30_of_the_table.sql says so.
--
-- Names are taken literally. A key of several columns is named as a list, with commas in between, and in double quotes where
-- a name has a comma. Its columns come back in the order of their index. id_columns has them as an array.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, id_column, content_column, embedding_column, content_expression

WITH columns AS (
    SELECT
        a.attrelid, a.attnum, a.attname::text AS name, a.attnotnull, a.attcollation,
        t.typcategory = 'S' AND t.typname NOT IN ('name', 'char') AS is_text,
        a.attgenerated,
        t.typname IN ('vector', 'halfvec') AND EXISTS (
            SELECT FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_extension'::regclass
            WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = a.atttypid AND x.extname = 'vector'
        ) AS is_vector
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :'schema' AND c.relname = :'table' AND a.attnum > 0 AND NOT a.attisdropped
),
keys AS (
    SELECT i.indexrelid, i.indisprimary, k.names
    FROM (SELECT DISTINCT c.attrelid FROM columns c) AS t
    JOIN pg_catalog.pg_index i ON i.indrelid = t.attrelid
    CROSS JOIN LATERAL (
        SELECT array_agg(c.name ORDER BY p.place), count(c.name) = i.indnkeyatts
        FROM generate_series(0, i.indnkeyatts - 1) AS p (place)
        JOIN columns c ON c.attnum = i.indkey[p.place] AND c.attnotnull
        -- The index may tell two keys apart that are equal to a column that ignores case.
        WHERE i.indcollation[p.place] = c.attcollation OR NOT EXISTS (
            SELECT FROM pg_catalog.pg_collation co WHERE co.oid = c.attcollation AND NOT co.collisdeterministic)
    ) AS k (names, is_whole)
    WHERE i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND k.is_whole
),
given AS (
    SELECT nullif(:'id_column'::text, '') AS key, nullif(:'content_column'::text, '') AS content,
        nullif(:'embedding_column'::text, '') AS embedding
),
parts AS (
    SELECT p.place, CASE
        WHEN p.part LIKE '"%"' AND p.part <> '"' THEN replace(substr(p.part, 2, length(p.part) - 2), '""', '"')
        ELSE p.part END AS name
    FROM given g
    CROSS JOIN LATERAL (
        SELECT m.place, btrim(m.found[1]) AS part
        FROM regexp_matches(g.key || ',', '\s*("(?:[^"]|"")*"|[^,]*)\s*,', 'g') WITH ORDINALITY AS m (found, place)
        WHERE position(',' IN g.key) > 0 AND NOT EXISTS (SELECT FROM columns c WHERE c.name = g.key)
        UNION ALL
        SELECT 1, g.key
        WHERE position(',' IN g.key) = 0 OR EXISTS (SELECT FROM columns c WHERE c.name = g.key)
    ) AS p
),
named AS (
    SELECT array_agg(p.name ORDER BY p.place) AS names FROM (
        SELECT DISTINCT ON (p.name) p.name, p.place FROM parts p ORDER BY p.name, p.place
    ) AS p
),
key AS (
    SELECT coalesce(
        -- the same columns, in the order of the index
        (SELECT k.names FROM keys k WHERE k.names @> n.names AND k.names <@ n.names
         ORDER BY k.indisprimary DESC, k.indexrelid LIMIT 1),
        n.names,
        (SELECT k.names FROM keys k WHERE k.indisprimary),
        (SELECT max(k.names) FROM keys k HAVING count(DISTINCT k.names) = 1),
        '{}') AS names
    FROM named n
),
vectors AS (
    SELECT c.name FROM columns c
    -- What a run has added does not count, whatever the table was called then.
    WHERE c.is_vector AND c.name !~ '^(former_)?embedding_[0-9a-f]{16}$'
      -- A generated column follows another one. It is refused for that where there is no other.
      AND (c.attgenerated = '' OR NOT EXISTS (SELECT FROM columns o WHERE o.is_vector AND o.attgenerated = ''))
),
texts AS (
    SELECT c.name FROM columns c CROSS JOIN key k WHERE c.is_text AND NOT c.name = ANY (k.names)
)
SELECT
    CASE cardinality(k.names) WHEN 1 THEN k.names[1] ELSE (
        SELECT coalesce(string_agg(format('%I', u.name), ', ' ORDER BY u.place), '')
        FROM unnest(k.names) WITH ORDINALITY AS u (name, place)) END AS id_column,
    k.names::text AS id_columns,
    CASE WHEN :'content_expression' <> '' THEN coalesce(g.content, '') ELSE coalesce(
        g.content,
        (SELECT c.name FROM columns c WHERE c.name = 'content'),
        (SELECT max(t.name) FROM texts t HAVING count(*) = 1),
        '') END AS content_column,
    coalesce(:'content_expression'::text, '') AS content_expression,
    coalesce(
        g.embedding,
        (SELECT max(v.name) FROM vectors v HAVING count(*) = 1),
        -- It is refused for its type, which says more than that there is none.
        (SELECT c.name FROM columns c WHERE c.name = 'embedding' AND NOT EXISTS (SELECT FROM vectors)),
        '') AS embedding_column
FROM given g
CROSS JOIN key k
\gset
