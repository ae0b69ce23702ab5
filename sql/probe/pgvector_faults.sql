-- Name the known faults of the installed pgvector: what can happen, in which versions, and what to do.
--
-- These are pgvector's own notes on its versions (CHANGELOG.md, its issues 959, 988, 993 and 1006). The last column says whether
-- the package builds indexes without parallel workers because of the fault: index/ does, in this version. since and fixed_in
-- are versions; fixed_in is the first without the fault.
--
-- The version is that of the extension in this database. The server may have newer files already: ALTER EXTENSION is enough
-- then, and what the files do is what happens. Nobody can ask for the version of the files that a session has loaded.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

WITH vector AS (
    SELECT
        e.extversion AS installed,
        string_to_array(substring(e.extversion FROM '^\d+(?:\.\d+)*'), '.')::integer[] AS version,
        string_to_array(substring(a.default_version FROM '^\d+(?:\.\d+)*'), '.')::integer[] AS files
    FROM pg_catalog.pg_extension e
    LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = e.extname
    WHERE e.extname = 'vector'
),
fault AS (
    SELECT f.*, string_to_array(f.since, '.')::integer[] AS begun, string_to_array(f.fixed_in, '.')::integer[] AS ended
    FROM (VALUES
        (
            'parallel_hnsw_build', '0.6.0', '0.8.2', true,
            'building an HNSW index with parallel workers can leak data of other tables or crash the server (CVE-2026-3172)',
            'build your own HNSW indexes without workers, as vestige-sql does: SET max_parallel_maintenance_workers = 0'
        ),
        (
            'parallel_hnsw_locking', '0.6.0', '0.7.4', true,
            'building an HNSW index with parallel workers has faulty locking',
            'build your own HNSW indexes without workers, as vestige-sql does: SET max_parallel_maintenance_workers = 0'
        ),
        (
            'hnsw_vacuum_corruption', '0.5.0', '0.8.3', false,
            'VACUUM of an HNSW index can damage it if rows are written meanwhile; searches and later vacuums fail then',
            'after the update REINDEX the HNSW indexes on tables that are written to'
        ),
        (
            'hnsw_vacuum_error', '0.5.0', '0.8.4', false,
            'VACUUM of an HNSW index can fail with "hnsw graph not repaired", and writes can fail while it runs',
            'until the update run VACUUM while nobody writes'
        ),
        (
            'ivfflat_32_bit', '0.1.0', '0.8.6', false,
            'building an IVFFlat index can write out of bounds on 32-bit systems (CVE-2026-18022)',
            'build no IVFFlat index before the update'
        )
    ) AS f (code, since, fixed_in, without_workers, what, advice)
    WHERE f.code <> 'ivfflat_32_bit' OR pg_catalog.version() LIKE '%32-bit%'
)
SELECT
    f.code,
    v.installed,
    f.since,
    f.fixed_in,
    f.what,
    CASE WHEN v.files >= f.ended THEN 'ALTER EXTENSION vector UPDATE'
         ELSE format('install pgvector %s or newer, then ALTER EXTENSION vector UPDATE', f.fixed_in)
    END || '; ' || f.advice AS hint,
    f.without_workers
FROM vector v
JOIN fault f ON v.version >= f.begun AND v.version < f.ended
ORDER BY f.ended, f.begun, f.code;
