-- Make the function that notes a row whose text or key is new, and notifies the workers.
--
-- It runs with the rights of the role that makes it, since writers have no rights here. It compares texts byte by byte, even where the
-- column's collation takes them for equal.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    note_function, note_body

SELECT
    pg_catalog.format(
        'CREATE OR REPLACE FUNCTION vestige_sql.%I() RETURNS trigger LANGUAGE plpgsql'
        ' SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on SET DateStyle = ''ISO, YMD'''
        ' SET IntervalStyle = postgres SET TimeZone = ''UTC'' SET extra_float_digits = 1 SET bytea_output = hex AS %L',
        :'note_function'::text, :'note_body'::text),
    pg_catalog.format('REVOKE ALL ON FUNCTION vestige_sql.%I() FROM PUBLIC', :'note_function'::text) \gexec
