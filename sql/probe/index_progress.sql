-- Show how far an index build on the target has come, from the server's own view.
--
-- HNSW counts the tuples that it has put in the graph. Where the view has none yet, the scanned blocks stand in.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid

SELECT
    p.phase,
    greatest(p.blocks_done::double precision / nullif(p.blocks_total, 0), 0) AS blocks_share,
    p.tuples_done
FROM pg_catalog.pg_stat_progress_create_index p
WHERE p.relid = :oid::oid AND p.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database());
