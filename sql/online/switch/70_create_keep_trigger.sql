-- Let no kept vector outlive the text that it was made from, so that a rollback brings back nothing stale.
--
-- The trigger must see what other triggers made of the text, so its name sorts behind theirs.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    keep_trigger, schema, table, content_column, keep_function

CREATE OR REPLACE TRIGGER :"keep_trigger" BEFORE UPDATE ON :"schema".:"table"
    FOR EACH ROW
    WHEN (OLD.:"content_column"::text COLLATE pg_catalog."C" IS DISTINCT FROM NEW.:"content_column"::text COLLATE pg_catalog."C")
    EXECUTE FUNCTION vestige_sql.:"keep_function"();
