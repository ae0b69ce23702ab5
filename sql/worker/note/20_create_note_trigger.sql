-- Note every row that is new, or that gets another text or key, from now on.
--
-- The trigger names no column. So it is in the way of no ALTER TABLE, and of no switch to another model.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    note_trigger, schema, table, note_function

CREATE OR REPLACE TRIGGER :"note_trigger" AFTER INSERT OR UPDATE ON :"schema".:"table"
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.:"note_function"();
