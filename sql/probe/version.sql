-- Show the version of the package that the database is at, and whether the runner's version fits it.
--
-- place is same, older or newer: the database's version against the runner's.
--
-- Versions that differ in their last number alone fit each other where migrations and functions are the same. function_files
-- is the output of sha256sum over the files of sql/functions. version is NULL where the migrations were applied and nothing
-- else.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    function_files, package_version, last_migration

WITH file AS MATERIALIZED (
    SELECT found[2] AS name, found[1] AS sha256
    FROM pg_catalog.regexp_matches(:'function_files', '([0-9a-f]{64}) [ *](?:[^\n]*/)?(\w+)\.sql', 'g') AS f (found)
),
differing AS MATERIALIZED (
    SELECT coalesce(file.name, f.name) AS name
    FROM file
    FULL JOIN vestige_sql.function_file f ON f.name = file.name
    WHERE f.sha256 IS DISTINCT FROM file.sha256
),
versions AS MATERIALIZED (
    SELECT
        p.version,
        pg_catalog.string_to_array(pg_catalog.substring(p.version, '^[0-9]+(?:\.[0-9]+)*'), '.')::integer[] AS of_database,
        pg_catalog.string_to_array(pg_catalog.substring(:'package_version', '^[0-9]+(?:\.[0-9]+)*'), '.')::integer[] AS of_runner,
        p.last_migration IS DISTINCT FROM :'last_migration' AS migrations_differ,
        EXISTS (SELECT FROM differing) AS functions_differ
    FROM (SELECT) AS one
    LEFT JOIN vestige_sql.package p ON p.id
)
SELECT
    v.version,
    CASE
        WHEN v.version IS NULL THEN 'older'
        WHEN NOT (v.migrations_differ OR v.functions_differ)
            AND (v.of_database[1], v.of_database[2]) = (v.of_runner[1], v.of_runner[2]) THEN 'same'
        WHEN v.of_database > v.of_runner THEN 'newer'
        ELSE 'older'
    END AS place,
    (SELECT pg_catalog.string_agg(d.name, ', ' ORDER BY d.name) FROM differing d) AS functions
FROM versions v;
