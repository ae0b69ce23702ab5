-- Let no kept vector outlive the text that it was made from, so that a rollback brings back nothing stale.
--
-- The trigger must see what other triggers made of the text, so its name sorts behind theirs.
--
-- A generated text is not there yet when the trigger fires. Then the columns that it is made of are compared, byte by byte.
--
-- Locks:        SHARE ROW EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Run again:    safe, it is replaced by itself
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    keep_trigger, schema, table, keep_function, content_columns

SELECT pg_catalog.format(
    'CREATE OR REPLACE TRIGGER %I BEFORE UPDATE ON %I.%I FOR EACH ROW WHEN (%s) EXECUTE FUNCTION vestige_sql.%I()',
    :'keep_trigger'::text, :'schema'::text, :'table'::text,
    pg_catalog.string_agg(CASE
        -- Where the column is gone, the server says so.
        WHEN a.attgenerated = '' OR a.attname IS NULL THEN pg_catalog.format(
            'OLD.%1$I::text COLLATE pg_catalog."C" IS DISTINCT FROM NEW.%1$I::text COLLATE pg_catalog."C"', u.name)
        ELSE pg_catalog.format('ROW(%s)::record OPERATOR(pg_catalog.*<>) ROW(%s)::record', made_of.old, made_of.new)
    END, ' OR ' ORDER BY u.place),
    :'keep_function'::text)
FROM (SELECT pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass AS oid) AS t
CROSS JOIN unnest(:'content_columns'::text[]) WITH ORDINALITY AS u (name, place)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname::text = u.name AND NOT a.attisdropped
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.string_agg(pg_catalog.format('OLD.%I', b.attname), ', ' ORDER BY b.attnum) AS old,
        pg_catalog.string_agg(pg_catalog.format('NEW.%I', b.attname), ', ' ORDER BY b.attnum) AS new
    FROM pg_catalog.pg_attribute b
    WHERE b.attrelid = a.attrelid AND b.attnum IN (
        SELECT d.refobjsubid
        FROM pg_catalog.pg_attrdef e
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = e.oid
        WHERE e.adrelid = a.attrelid AND e.adnum = a.attnum
          AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid <> a.attnum)
) AS made_of \gexec
