-- Note from now on every row that comes, or gets another text or key, whoever writes it and in whatever role.
--
-- Texts are compared byte by byte, whatever the column's collation takes for equal. An UPDATE that leaves the text alone, as
-- the filling does, calls no function.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, they are replaced by themselves
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    insert_trigger, schema, table, track_function, update_trigger, content_column, id_column

CREATE OR REPLACE TRIGGER :"insert_trigger" AFTER INSERT ON :"schema".:"table"
    FOR EACH ROW EXECUTE FUNCTION vestige_sql.:"track_function"();

CREATE OR REPLACE TRIGGER :"update_trigger" AFTER UPDATE ON :"schema".:"table"
    FOR EACH ROW
    WHEN (
        OLD.:"content_column"::text COLLATE pg_catalog."C" IS DISTINCT FROM NEW.:"content_column"::text COLLATE pg_catalog."C"
        OR OLD.:"id_column" IS DISTINCT FROM NEW.:"id_column"
    )
    EXECUTE FUNCTION vestige_sql.:"track_function"();

ALTER TABLE :"schema".:"table"
    ENABLE ALWAYS TRIGGER :"insert_trigger",
    ENABLE ALWAYS TRIGGER :"update_trigger";
