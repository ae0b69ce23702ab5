-- Make an empty table like the target, with its indexes, to try a run on.
--
-- The transaction that makes it is never committed.
--
-- The table is not logged, so that archives and replicas get nothing of it. It is no temporary table, because indexes of those
-- are not built in parallel.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  required
-- Run again:    refused, the copy is there already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    copy_table, schema, table

CREATE UNLOGGED TABLE vestige_sql.:"copy_table" (
    LIKE :"schema".:"table" INCLUDING INDEXES INCLUDING STORAGE INCLUDING COMPRESSION
);
