-- Let no statement of this transaction build an index with parallel workers, if the installed pgvector cannot do that safely.
--
-- Parallel builds of HNSW indexes are faulty in pgvector 0.6.0 to 0.8.1: probe/pgvector_faults.sql. A change of the column's
-- type builds every index of the table that is still there, also those on other columns. The steps that build the saved
-- indexes set their workers by themselves.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT pg_catalog.set_config('max_parallel_maintenance_workers', '0', true) AS max_parallel_maintenance_workers
FROM pg_catalog.pg_extension e
WHERE e.extname = 'vector'
  AND string_to_array(substring(e.extversion FROM '^\d+(?:\.\d+)*'), '.')::integer[] >= '{0,6,0}'
  AND string_to_array(substring(e.extversion FROM '^\d+(?:\.\d+)*'), '.')::integer[] < '{0,8,2}';
