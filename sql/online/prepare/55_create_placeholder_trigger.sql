-- Give the placeholder to a row that is written with NULL in the second column, where that column is NOT NULL.
--
-- A writer that names no columns, such as INSERT .. SELECT (a row of the table's type), writes NULL there. Its statement must not fail.
-- The trigger must see what other triggers made of the row, so its name sorts behind theirs.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    track_function, schema, table, insert_trigger, new_column

SELECT
    pg_catalog.format(
        'CREATE OR REPLACE TRIGGER %1$I BEFORE INSERT OR UPDATE OF %2$I ON %3$s FOR EACH ROW WHEN (NEW.%2$I IS NULL)'
        ' EXECUTE FUNCTION vestige_sql.%4$I()',
        x.name, a.attname, x.target, :'track_function'::text),
    pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', x.target, x.name)
FROM (
    SELECT
        pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AS target,
        replace(:'insert_trigger', 'vestige_sql_note_inserted_', 'zz_vestige_sql_hold_place_') AS name
) AS x
JOIN pg_catalog.pg_attribute a ON a.attrelid = x.target AND a.attname = :'new_column' AND NOT a.attisdropped
WHERE a.attnotnull \gexec
