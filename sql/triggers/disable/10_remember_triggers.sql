-- Remember, for this transaction, which triggers of the target are on, and how.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, what is remembered stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

SELECT pg_catalog.set_config('vestige_sql.triggers', coalesce(
    nullif(pg_catalog.current_setting('vestige_sql.triggers', true), ''),
    pg_catalog.json_agg(pg_catalog.json_build_object('name', t.tgname, 'enabled', t.tgenabled))::text,
    '[]'), true)
FROM pg_catalog.pg_trigger t
WHERE t.tgrelid = pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass
  AND NOT t.tgisinternal
  AND t.tgenabled <> 'D';
