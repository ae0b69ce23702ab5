-- Create the HNSW index on knowledge_nodes.embedding, once the column has a dimension.
--
-- Locks:        SHARE on knowledge_nodes to the end of the transaction: reads go on, writes wait for the build
-- Transaction:  required
-- Run again:    safe, an index of this name that is valid stays, whoever built it
-- Undo:         0002_hnsw.rollback.sql
-- depends:      0001_init
--
-- The build takes the maintenance_work_mem that the session has. `vestige-sql migrate reembed` builds this very index
-- with what the graph needs; afterwards this file finds it and passes.

-- squawk-ignore-file require-concurrent-index-creation -- yoyo keeps it in one transaction with its own bookkeeping; for a large table see above
-- squawk-ignore-file require-statement-timeout -- a build takes as long as it takes; the role's own limit holds

-- Whoever waits for SHARE makes every writer wait behind it.
SET LOCAL lock_timeout = '10s';

-- Errors VS100 mean "not yet": `vestige-sql migrate up` leaves the file for a later run and goes on.
DO $$
DECLARE
    dimension integer;
    index_table regclass;
    index_valid boolean;
BEGIN
    SELECT x.indrelid, x.indisvalid INTO index_table, index_valid
      FROM pg_class t
      JOIN pg_class i ON i.relnamespace = t.relnamespace AND i.relname = 'idx_knowledge_nodes_embedding_hnsw'
      LEFT JOIN pg_index x ON x.indexrelid = i.oid
     WHERE t.oid = 'knowledge_nodes'::regclass;
    IF FOUND THEN
        IF index_table IS DISTINCT FROM 'knowledge_nodes'::regclass THEN
            RAISE EXCEPTION 'idx_knowledge_nodes_embedding_hnsw is there, but it is no index on knowledge_nodes'
                  USING HINT = 'Rename it, then run this again.';
        ELSIF NOT index_valid THEN
            RAISE EXCEPTION 'index idx_knowledge_nodes_embedding_hnsw is INVALID: an earlier CREATE INDEX '
                            'CONCURRENTLY failed, or is still at work'
                  USING HINT = 'If no session is building it: DROP INDEX idx_knowledge_nodes_embedding_hnsw; '
                               'then run this again.';
        END IF;
        RETURN;
    END IF;

    -- pgvector keeps the dimension as the typmod itself; -1 is "no dimension".
    SELECT atttypmod INTO dimension
      FROM pg_attribute
     WHERE attrelid = 'knowledge_nodes'::regclass AND attname = 'embedding' AND NOT attisdropped;
    IF dimension IS NULL THEN
        RAISE EXCEPTION 'knowledge_nodes has no column embedding';
    ELSIF dimension < 1 THEN
        RAISE EXCEPTION 'knowledge_nodes.embedding has no dimension yet, and an HNSW index needs one'
              USING ERRCODE = 'VS100',
                    HINT = 'Register a model first: vestige-sql migrate register --model NAME_OR_DIR';
    ELSIF dimension > 2000 THEN
        RAISE EXCEPTION 'knowledge_nodes.embedding has % dimensions, and HNSW on the type vector goes to 2,000',
                        dimension
              USING ERRCODE = 'VS100',
                    HINT = 'Up to 4,000 dimensions an index on halfvec is possible: vestige-sql migrate reembed '
                           'builds it. Beyond that, search is a sequential scan.';
    END IF;
END
$$;

CREATE INDEX IF NOT EXISTS idx_knowledge_nodes_embedding_hnsw
    ON knowledge_nodes USING hnsw (embedding vector_cosine_ops)
    WITH (m = 16, ef_construction = 64);
