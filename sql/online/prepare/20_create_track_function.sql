-- Make the function that notes a changed row.
--
-- It runs with the rights of the run's role, since writers have no rights here.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    track_function, changed_table, id_column

SELECT
    pg_catalog.format(
        'CREATE OR REPLACE FUNCTION vestige_sql.%I() RETURNS trigger LANGUAGE plpgsql'
        ' SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
        :'track_function'::text,
        -- Whoever drops the notes by hand stops the run, and not the application's writes.
        pg_catalog.format(
            'BEGIN IF to_regclass(''vestige_sql.%1$I'') IS NOT NULL THEN INSERT INTO vestige_sql.%1$I (id) VALUES (NEW.%2$I); END IF; '
            'RETURN NULL; END',
            :'changed_table'::text, :'id_column'::text)),
    pg_catalog.format('REVOKE ALL ON FUNCTION vestige_sql.%I() FROM PUBLIC', :'track_function'::text) \gexec
