-- Make the table that notes every change of the target's texts from now on, one row for each change.
--
-- Writers only ever add rows, and no key is unique except the row's own number. So no writer waits here for another writer,
-- nor for the run.
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
