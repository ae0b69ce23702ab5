-- Note every new row from now on.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    insert_trigger, schema, table, track_function

CREATE OR REPLACE TRIGGER :"insert_trigger" AFTER INSERT ON :"schema".:"table"
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.:"track_function"();
