-- Drop the HNSW index. Searches go on as sequential scans; no vector is lost.
--
-- Locks:        ACCESS EXCLUSIVE on knowledge_nodes, for an instant
-- Transaction:  required
-- Run again:    safe
-- Undo:         0002_hnsw.sql

-- squawk-ignore-file require-concurrent-index-deletion -- yoyo keeps it in one transaction with its own bookkeeping
-- squawk-ignore-file require-statement-timeout -- once it has the lock, it is done
SET LOCAL lock_timeout = '10s';

DROP INDEX IF EXISTS idx_knowledge_nodes_embedding_hnsw;
