-- Remember the version of the package that the database is at, and since when.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, the same version stays as it is
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    package_version, last_migration

INSERT INTO vestige_sql.package AS p (version, last_migration)
VALUES (:'package_version', :'last_migration')
ON CONFLICT (id) DO UPDATE
SET version = excluded.version,
    last_migration = excluded.last_migration,
    migrated_at = excluded.migrated_at,
    migrated_by = excluded.migrated_by
WHERE (p.version, p.last_migration) IS DISTINCT FROM (excluded.version, excluded.last_migration);
