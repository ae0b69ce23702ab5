-- Remember, for this transaction, which triggers of the target and its partitions are on, and how.
--
-- The package's own stay on: they guard what another column of the table keeps, and do nothing where this one is written.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, what is remembered stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

SELECT pg_catalog.set_config('vestige_sql.triggers', coalesce(
    nullif(pg_catalog.current_setting('vestige_sql.triggers', true), ''),
    pg_catalog.json_agg(pg_catalog.json_build_object(
        'of', p.relation, 'name', t.tgname, 'enabled', t.tgenabled))::text,
    '[]'), true)
FROM vestige_sql.with_partitions(pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass) p
JOIN pg_catalog.pg_trigger t ON t.tgrelid = p.relation
WHERE NOT t.tgisinternal
  AND t.tgenabled <> 'D'
  AND NOT (t.tgname ~ '^(vestige_sql_note_(inserted|updated)|zz_vestige_sql_forget_stale)_[0-9a-f]{16}$'
      AND EXISTS (
          SELECT FROM pg_catalog.pg_proc p
          WHERE p.oid = t.tgfoid AND p.pronamespace = pg_catalog.to_regnamespace('vestige_sql')));
