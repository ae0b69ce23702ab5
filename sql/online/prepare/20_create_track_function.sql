-- Make the function that notes a changed row, and whether its former vector is of another text from now on.
--
-- It is not where the same statement writes the former vector too, or leaves none. Before a row is written, the function gives it the
-- placeholder where it has nothing else to give.
--
-- It runs with the rights of the run's role, since writers have no rights here.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    track_function, changed_table, key_of_new, content_changes, key_stays, embedding_column, vector_schema, outdated_table, new_column, vector_type, dimension

SELECT
    pg_catalog.format(
        'CREATE OR REPLACE FUNCTION vestige_sql.%I() RETURNS trigger LANGUAGE plpgsql'
        ' SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
        :'track_function'::text,
        -- Whoever drops the notes by hand stops the run, and not the application's writes.
        pg_catalog.format(
            'DECLARE v_outdates boolean; BEGIN'
            ' IF TG_WHEN = ''BEFORE'' THEN NEW.%8$I := CAST(''[1'' || repeat('',0'', %10$s - 1) || '']'' AS %9$s); RETURN NEW; END IF;'
            ' IF to_regclass(''vestige_sql.%1$I'') IS NOT NULL THEN INSERT INTO vestige_sql.%1$I (id) VALUES (%2$s); END IF;'
            ' IF TG_OP = ''UPDATE'' AND to_regclass(''vestige_sql.%7$I'') IS NOT NULL THEN'
            ' BEGIN v_outdates := (%3$s OR (%4$s) IS NOT TRUE)'
            ' AND (OLD.%5$I OPERATOR(%6$I.=) NEW.%5$I) IS TRUE;'
            -- a column that was renamed stops no write of the application
            ' EXCEPTION WHEN undefined_column THEN v_outdates := true; END;'
            ' IF v_outdates THEN INSERT INTO vestige_sql.%7$I (id) VALUES (%2$s); END IF; END IF;'
            ' RETURN NULL; END',
            :'changed_table'::text, :'key_of_new'::text, :'content_changes'::text, :'key_stays'::text, :'embedding_column'::text,
            :'vector_schema'::text, :'outdated_table'::text, :'new_column'::text, :'vector_type'::text, :dimension)),
    pg_catalog.format('REVOKE ALL ON FUNCTION vestige_sql.%I() FROM PUBLIC', :'track_function'::text) \gexec
