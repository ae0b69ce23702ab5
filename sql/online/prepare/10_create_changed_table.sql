-- Make the table in which every change of the target's texts is noted from now on, one row a change.
--
-- Rows are only ever added by writers, and no key is unique but the row's own number, so that no writer waits for another
-- here, nor for the run.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, a table that is there stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    changed_table, id_type

CREATE TABLE IF NOT EXISTS vestige_sql.:"changed_table" (
    change bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id     :id_type NOT NULL
);
