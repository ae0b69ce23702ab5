-- Let the registry go by name again.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0005_identity.sql, which takes the tables of the registry's names for those that it means
--
-- Of several tables that had one name, one after the other, the row that was written last stays.

-- squawk-ignore-file ban-drop-table, ban-drop-column -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
-- squawk-ignore-file adding-serial-primary-key-field, constraint-missing-not-valid -- the tables are the package's own, and small
-- squawk-ignore-file require-concurrent-index-deletion -- the tables are the package's own, and small
SET LOCAL lock_timeout = '10s';

DELETE FROM vestige_sql.model m
USING vestige_sql.model later
WHERE (later.table_schema, later.table_name, later.column_name) = (m.table_schema, m.table_name, m.column_name)
  AND (later.updated_at, later.id) > (m.updated_at, m.id);

DROP INDEX IF EXISTS vestige_sql.model_column_idx;
ALTER TABLE vestige_sql.model
    DROP COLUMN IF EXISTS id,
    DROP COLUMN IF EXISTS home,
    DROP COLUMN IF EXISTS table_oid,
    DROP COLUMN IF EXISTS column_number,
    DROP COLUMN IF EXISTS content_column,
    DROP COLUMN IF EXISTS content_number,
    ADD PRIMARY KEY (table_schema, table_name, column_name);
ALTER TABLE vestige_sql.run
    DROP COLUMN IF EXISTS home,
    DROP COLUMN IF EXISTS table_oid,
    DROP COLUMN IF EXISTS column_number;
ALTER TABLE vestige_sql.kept
    DROP COLUMN IF EXISTS home,
    DROP COLUMN IF EXISTS table_oid,
    DROP COLUMN IF EXISTS guard;
DROP TABLE IF EXISTS vestige_sql.home;
