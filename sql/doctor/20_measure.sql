-- Say how large the table is, what share of its pages the other questions look at, and how a row is named.
--
-- Nothing of the table is read. The rows are estimated as the planner does it, from the pages of the last ANALYZE or VACUUM and those
-- of now; 20 a page where there was none. The pages are drawn by TABLESAMPLE SYSTEM, and the same ones for each question. The
-- partitions and heirs of a table count.
--
-- key_expression names a row t by its key, or by its place where it has none.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, sample_rows, key_record, id_columns, embedding_column

WITH RECURSIVE parts (oid) AS (
    SELECT c.oid
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :'schema' AND c.relname = :'table'
    UNION
    SELECT i.inhrelid FROM parts p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
),
measured AS (
    SELECT
        coalesce(sum(s.pages), 0)::bigint AS pages,
        coalesce(sum(s.bytes), 0)::bigint AS table_bytes,
        coalesce(sum(s.pages * s.rows_a_page), 0)::bigint AS estimated_rows,
        coalesce(bool_and(s.is_analyzed), true) AS is_analyzed
    FROM (
        SELECT
            pg_relation_size(c.oid) / current_setting('block_size')::integer AS pages,
            pg_table_size(c.oid) AS bytes,
            CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN c.reltuples / c.relpages ELSE 20 END AS rows_a_page,
            c.relpages > 0 OR pg_relation_size(c.oid) = 0 AS is_analyzed
        FROM parts p
        JOIN pg_catalog.pg_class c ON c.oid = p.oid AND c.relkind IN ('r', 'm')
    ) AS s
)
SELECT
    m.pages,
    m.table_bytes,
    m.estimated_rows,
    m.is_analyzed,
    CASE WHEN m.estimated_rows <= :sample_rows THEN 100
        -- at least eight pages, or a sample of a few large rows may be empty
        ELSE round(least(100, greatest(100.0 * :sample_rows / m.estimated_rows, 800.0 / greatest(m.pages, 1))), 6) END AS sample_percent,
    CASE WHEN :'key_record' <> '' AND NOT EXISTS (
        SELECT FROM unnest(:'id_columns'::text[]) AS k (name)
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attname::text = k.name
              AND a.attnum > 0 AND NOT a.attisdropped)
    ) THEN :'key_record' || '::text' ELSE 't.ctid::text' END AS key_expression,
    (SELECT n.nspname
     FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     WHERE a.attrelid = format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attname::text = :'embedding_column'
       AND NOT a.attisdropped) AS vector_schema
FROM measured m
\gset
