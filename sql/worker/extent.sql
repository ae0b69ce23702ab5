-- Show how many blocks the table has, and which transactions a pass that begins now may miss.
--
-- What a transaction from xid on writes may come too late for the pass, and the next pass looks at it again.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table

SELECT
    pg_catalog.pg_relation_size(
        pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass) / current_setting('block_size')::integer AS blocks,
    pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::bigint AS xid;
