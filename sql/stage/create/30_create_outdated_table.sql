-- Create the table that notes which rows have another text than their former vector was made from.
--
-- Such a row's former vector is not kept. Writers only ever add rows here, so none waits for another.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it stays as it is if it is there
-- Undo:         stage/drop.sql
-- Variables:    outdated_table, id_type

CREATE TABLE IF NOT EXISTS vestige_sql.:"outdated_table" (
    note bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id   :id_type NOT NULL
);
