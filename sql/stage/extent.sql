-- Find where a pass over the table in disk order begins, and how many blocks the table has.
--
-- A run that goes on begins behind the row that was staged last. What lies before that row is staged too, so the run does
-- not page through all of it first.
--
-- The place is a guess from the last blocks of the staging table. A guess is enough: a run ends only when nothing is pending
-- anywhere, and other passes begin at the beginning. after is NULL where nothing is staged, or where that row is gone.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, staging_table, key_is_k

SELECT
    pg_catalog.pg_relation_size(
        pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass) / current_setting('block_size')::integer AS blocks,
    (
        SELECT t.ctid::text
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
    ) AS after;
