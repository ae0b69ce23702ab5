-- Drop the HNSW index. Searches go on as sequential scans; no vector is lost.
--
-- Locks:        ACCESS EXCLUSIVE on knowledge_nodes, for an instant
-- Transaction:  required
-- Run again:    safe
-- Undo:         0002_hnsw.sql

DROP INDEX IF EXISTS idx_knowledge_nodes_embedding_hnsw;
