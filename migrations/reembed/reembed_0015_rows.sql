-- Several models in one column: a run, a model and what it was registered for may be of some of a table's rows.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own tables
-- Transaction:  required
-- Run again:    safe, changes only what is not as it should be
-- Undo:         reembed_0015_rows.rollback.sql, which forgets the models of some rows
--
-- depends: reembed_0005_identity
--
-- row_filter is the condition that chooses the rows, as PostgreSQL writes it back. It is empty where all rows are meant.

-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion -- the table has a row a target
-- squawk-ignore-file constraint-missing-not-valid, ban-drop-constraint -- the tables are this package's own, and small
SET LOCAL lock_timeout = '10s';

ALTER TABLE vestige_sql.run ADD COLUMN IF NOT EXISTS row_filter text NOT NULL DEFAULT '';
ALTER TABLE vestige_sql.model ADD COLUMN IF NOT EXISTS row_filter text NOT NULL DEFAULT '';

-- A column has one model, or one for each condition.
DROP INDEX IF EXISTS vestige_sql.model_column_idx;
CREATE UNIQUE INDEX IF NOT EXISTS model_rows_idx ON vestige_sql.model (table_oid, column_number, home, row_filter);

ALTER TABLE vestige_sql.run DROP CONSTRAINT IF EXISTS run_way_check;
ALTER TABLE vestige_sql.run
    ADD CONSTRAINT run_way_check CHECK (way IN ('rewrite', 'widen', 'swap', 'fill', 'rows', 'online', 'back'));
