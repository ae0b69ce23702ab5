-- Note from now on every row that gets another text or key, or another vector in the second column from outside the run.
--
-- The run's own statements set vestige_sql.filling, so that the trigger knows them.
--
-- The columns that the text is made of are compared byte by byte, even where a collation takes them for equal. An UPDATE that leaves the text
-- alone, as the filling does, calls no function.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    update_trigger, schema, table, content_changes, key_stays, new_column, vector_schema, track_function

CREATE OR REPLACE TRIGGER :"update_trigger" AFTER UPDATE ON :"schema".:"table"
    FOR EACH ROW
    WHEN (
        (:content_changes)
        OR (:key_stays) IS NOT TRUE
        OR pg_catalog.current_setting('vestige_sql.filling', true) IS DISTINCT FROM 'on'
            AND (OLD.:"new_column" OPERATOR(:"vector_schema".=) NEW.:"new_column") IS NOT TRUE
            AND num_nulls(OLD.:"new_column", NEW.:"new_column") < 2
    )
    EXECUTE FUNCTION vestige_sql.:"track_function"();
