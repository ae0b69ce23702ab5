-- Check that the worker's writes fire no trigger of the target's own.
--
-- The worker keeps triggers from firing where its role may (online/quiet/). fire_triggers says that they may fire, once for each vector
-- that is written. probe/refusals/10_may_keep_triggers_quiet.sql has found out, in this transaction, what the role may.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    embedding_column, schema, table, fire_triggers

WITH target AS (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, a.attnum
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    WHERE n.nspname = :'schema' AND c.relname = :'table'
),
triggers AS (
    -- "O" fires in a usual session, "R" in one of a replica, "A" in both. Bit 4 of tgtype is UPDATE.
    SELECT g.tgname, g.tgenabled
    FROM target t
    JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype::integer & 16 <> 0
    WHERE (g.tgattr = ''::int2vector OR t.attnum = ANY (g.tgattr::smallint[]))
      -- The package's own do nothing where only a vector changes.
      AND NOT (g.tgname ~ '^(vestige_sql_note_(inserted|updated)|zz_vestige_sql_forget_stale)_[0-9a-f]{16}$'
          AND EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid = g.tgfoid AND p.pronamespace = to_regnamespace('vestige_sql')))
),
role AS (
    SELECT coalesce(nullif(current_setting('vestige_sql.triggers_quiet', true), ''), 'false')::boolean AS may
),
firing AS (
    SELECT string_agg(g.tgname, ', ' ORDER BY g.tgname) AS names,
        string_agg(g.tgname, ', ' ORDER BY g.tgname) FILTER (WHERE g.tgenabled <> 'O') AS even_so
    FROM triggers g
    CROSS JOIN role r
    WHERE g.tgenabled = 'A' OR g.tgenabled = CASE WHEN r.may THEN 'R' ELSE 'O' END
)
SELECT vestige_sql.require(
    f.names IS NULL OR :fire_triggers,
    format('writing a vector into %s would fire its triggers: %s', t.name, f.names),
    concat_ws('; ',
        f.even_so || format(' fire even so: ALTER TABLE %s ENABLE TRIGGER .. makes them like the others', t.name),
        CASE WHEN NOT r.may THEN
            format('GRANT SET ON PARAMETER session_replication_role TO %s lets this role suppress them (PostgreSQL 15 on)',
                '"' || replace(current_user, '"', '""') || '"') END,
        'or let them fire, once for each vector, with --fire-triggers; nothing was written'))
FROM target t
CROSS JOIN role r
CROSS JOIN firing f;
