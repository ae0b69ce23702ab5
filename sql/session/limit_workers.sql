-- Let no statement of this session build an index with parallel workers, if the installed pgvector cannot do that safely.
--
-- Parallel builds of HNSW indexes are faulty in pgvector 0.6.0 to 0.8.1: probe/pgvector_faults.sql. The runner does this in the
-- sessions in which it applies migrations, one of which builds Vestige's index.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it sets the same value
-- Undo:         ends with the session
-- Variables:    none

SELECT pg_catalog.set_config('max_parallel_maintenance_workers', '0', false) AS max_parallel_maintenance_workers
FROM pg_catalog.pg_extension e
WHERE e.extname OPERATOR(pg_catalog.=) 'vector'
  AND pg_catalog.string_to_array(pg_catalog.substring(e.extversion, '^\d+(?:\.\d+)*'), '.')::integer[]
      OPERATOR(pg_catalog.>=) '{0,6,0}'
  AND pg_catalog.string_to_array(pg_catalog.substring(e.extversion, '^\d+(?:\.\d+)*'), '.')::integer[]
      OPERATOR(pg_catalog.<) '{0,8,2}';
