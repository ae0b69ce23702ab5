-- Make the function that clears a row's kept vector, because the row no longer has the text of that vector.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    keep_function, kept_column

SELECT
    pg_catalog.format(
        'CREATE OR REPLACE FUNCTION vestige_sql.%I() RETURNS trigger LANGUAGE plpgsql'
        ' SET search_path = pg_catalog, pg_temp AS %L',
        :'keep_function'::text,
        -- Whoever drops the kept column by hand gives up the way back, and not the application's writes.
        pg_catalog.format(
            'BEGIN IF EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = TG_RELID AND a.attname = %1$L AND NOT a.attisdropped) '
            'THEN NEW.%1$I := NULL; END IF; RETURN NEW; END',
            :'kept_column'::text)),
    pg_catalog.format('REVOKE ALL ON FUNCTION vestige_sql.%I() FROM PUBLIC', :'keep_function'::text) \gexec
