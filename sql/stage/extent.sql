-- Find where a pass over the table in disk order begins: the table, or its partitions one after another, with their blocks.
--
-- A run that goes on begins behind the row that was staged last. What lies before that row is staged too, so the run does
-- not page through all of it first.
--
-- The place is a guess from the last blocks of the staging table. A guess is enough: a run ends only when nothing is pending
-- anywhere, and other passes begin at the beginning. after is the place of that row, in the partition where it lies. It is
-- NULL in every other one, and everywhere where nothing is staged, or where that row is gone.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    staging_table, schema, table, key_is_k

WITH last AS MATERIALIZED (
    SELECT t.tableoid AS home, t.ctid AS place
    FROM (
        SELECT s.id
        FROM vestige_sql.:"staging_table" s
        -- a server extends a table by up to 64 blocks at once
        WHERE s.ctid >= (
            SELECT pg_catalog.format('(%s,0)', greatest(0, x.blocks - 128))::tid
            FROM (
                SELECT pg_catalog.pg_relation_size(pg_catalog.format('vestige_sql.%I', :'staging_table'::text)::regclass)
                    / current_setting('block_size')::integer AS blocks
            ) AS x)
        ORDER BY s.ctid DESC
        LIMIT 1
    ) AS k
    JOIN :"schema".:"table" t ON :key_is_k
)
SELECT
    n.nspname AS read_schema,
    c.relname AS read_table,
    pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::integer AS blocks,
    (SELECT l.place::text FROM last l WHERE l.home = c.oid) AS after
FROM vestige_sql.with_partitions(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass) p
JOIN pg_catalog.pg_class c ON c.oid = p.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE p.is_leaf
ORDER BY c.oid;
