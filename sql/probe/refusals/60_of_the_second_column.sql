-- List what keeps a second column from standing beside the embedding column.
--
-- Its name may be taken, the table may have no room for it, or triggers may fire while it is filled. widen renames one too, and so does swap, which widen falls back to.
--
-- The first row only says which column was asked. remove holds statements that take the reason away. restore holds statements
-- that bring back what those took. The rows are remembered for this transaction, for 80_by_way.sql. fire_triggers says that
-- triggers may fire.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    embedding_column, schema, table, fire_triggers

WITH embedding AS (
    SELECT x.*,
        'embedding_' || x.suffix AS new_column,
        'former_embedding_' || x.suffix AS kept_column,
        -- Where changes are noted, the second column is the run's own: the run adds both together.
        to_regclass('vestige_sql.changed_' || x.suffix) IS NOT NULL AS is_filling
    FROM (
        SELECT
            c.oid AS target, format('%I.%I', n.nspname, c.relname) AS name, a.attname,
            format('%I.%I.%I', n.nspname, c.relname, a.attname) AS "column",
            left(encode(sha256(convert_to(format('%I.%I.%I', n.nspname, c.relname, a.attname), 'UTF8')), 'hex'), 16) AS suffix
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
        WHERE n.nspname = :'schema' AND c.relname = :'table' AND c.relkind IN ('r', 'p')
    ) AS x
),
triggers AS (
    -- The triggers that an UPDATE of the second column fires: "O" in a usual session, "R" in one of a replica, "A" in both.
    SELECT t.tgname AS name, t.tgenabled AS enabled
    FROM embedding e
    JOIN pg_catalog.pg_trigger t ON t.tgrelid = e.target AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    -- Bit 4 of tgtype is UPDATE. A trigger's list of columns never has the second column on it.
    WHERE t.tgtype::integer & 16 <> 0 AND t.tgattr = ''::int2vector
      -- The package's own do nothing where a second column is filled, whichever column of the table they are about.
      AND NOT (t.tgname ~ '^(vestige_sql_note_(inserted|updated)|zz_vestige_sql_forget_stale)_[0-9a-f]{16}$'
          AND EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid = t.tgfoid AND p.pronamespace = to_regnamespace('vestige_sql')))
),
role AS (
    SELECT
        x.may,
        -- This holds without any trigger too, because one may come while the second column is filled.
        x.may AND (EXISTS (SELECT FROM triggers t WHERE t.enabled = 'O')
            OR NOT EXISTS (SELECT FROM triggers t WHERE t.enabled = 'R')) AS is_quiet
    FROM (SELECT coalesce(nullif(current_setting('vestige_sql.triggers_quiet', true), ''), 'false')::boolean AS may) AS x
),
firing AS (
    SELECT t.*
    FROM triggers t CROSS JOIN role r
    WHERE t.enabled = 'A' OR t.enabled = CASE WHEN r.is_quiet THEN 'R' ELSE 'O' END
),
refusals (place, what, object, message, hint, remove, restore, rules_out) AS (
    SELECT
        0, 'asked', format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
        'a second column beside it', '', '{}'::text[], '{}'::text[], '{}'::text[]
    UNION ALL
    SELECT
        25, 'partitioned_online', e.name,
        format('%s is partitioned, and a partitioned table cannot be re-embedded online', e.name),
        'run without --online: readers and writers wait only while the vectors are put in place; nothing was written',
        '{}', '{}', '{online}'
    FROM embedding e
    JOIN pg_catalog.pg_class c ON c.oid = e.target AND c.relkind = 'p'
    UNION ALL
    SELECT
        25, 'partitioned_rows', e.name,
        format('%s is partitioned, and a partitioned table can be re-embedded only as a whole', e.name),
        'run without --where and --keep-untyped; nothing was written',
        '{}', '{}', '{rows}'
    FROM embedding e
    JOIN pg_catalog.pg_class c ON c.oid = e.target AND c.relkind = 'p'
    UNION ALL
    SELECT
        400 + c.place, 'name_taken', format('%s.%I', e.name, c.name),
        format('%s already has a column %s, and the run adds one of that name', e.name, c.name),
        format('rename it with ALTER TABLE %s RENAME COLUMN %s TO .., or drop it if an earlier run left it; nothing was written',
            e.name, c.name),
        ARRAY[format('ALTER TABLE %s RENAME COLUMN %I TO %I;', e.name, c.name, c.name || '_aside')],
        ARRAY[format('ALTER TABLE %s RENAME COLUMN %I TO %I;', e.name, c.name || '_aside', c.name)],
        c.rules_out
    FROM embedding e
    CROSS JOIN LATERAL (VALUES
        (1, e.new_column, e.is_filling, '{widen,swap,online,back}'::text[]),
        (2, e.kept_column, false, '{online}')
    ) AS c (place, name, is_ours, rules_out)
    WHERE NOT c.is_ours
      AND EXISTS (
          SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = e.target AND a.attname = c.name AND NOT a.attisdropped)
    UNION ALL
    SELECT
        410, 'fires_triggers', e.name,
        format('filling the second column would fire triggers of %s: %s', e.name, string_agg(f.name, ', ' ORDER BY f.name)),
        concat_ws('; ',
            string_agg(f.name, ', ' ORDER BY f.name) FILTER (WHERE f.enabled <> 'O')
                || format(' fire even so: ALTER TABLE %s ENABLE TRIGGER .. makes them like the others', e.name),
            CASE WHEN NOT r.may THEN
                format('GRANT SET ON PARAMETER session_replication_role TO %s lets this role suppress them (PostgreSQL 15 on)',
                    '"' || replace(current_user, '"', '""') || '"') END,
            'or let them fire, once for each row, with --fire-triggers; nothing was written'),
        array_remove(
            array_agg(CASE WHEN f.enabled <> 'O' THEN format('ALTER TABLE %s ENABLE TRIGGER %I;', e.name, f.name) END ORDER BY f.name)
                || CASE WHEN NOT r.may AND current_setting('server_version_num')::integer >= 150000 THEN
                    format('GRANT SET ON PARAMETER session_replication_role TO %I;', current_user) END, NULL),
        array_remove(
            array_agg(CASE f.enabled WHEN 'O' THEN NULL ELSE format('ALTER TABLE %s ENABLE %s TRIGGER %I;', e.name,
                CASE f.enabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, f.name) END ORDER BY f.name)
                || CASE WHEN NOT r.may AND current_setting('server_version_num')::integer >= 150000 THEN
                    format('REVOKE SET ON PARAMETER session_replication_role FROM %I;', current_user) END, NULL),
        '{online}'
    FROM embedding e
    CROSS JOIN role r
    CROSS JOIN firing f
    WHERE NOT :fire_triggers
    GROUP BY e.name, r.may
    UNION ALL
    SELECT
        405, 'no_room', e.name,
        format('%s has had %s columns, those dropped since among them, and no table can have more than 1,600', e.name,
            ltrim(to_char(c.relnatts, '9,999'))),
        'take --apply rewrite, which adds no column; dropped columns count until the table is made anew (CREATE TABLE .. AS, or '
            'pg_dump and pg_restore); nothing was written',
        '{}', '{}', '{swap,online}'
    FROM embedding e
    JOIN pg_catalog.pg_class c ON c.oid = e.target AND c.relnatts >= 1600
    WHERE NOT e.is_filling
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('second_column', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place) FROM refusals r)))::text, true)
)
SELECT r.* FROM refusals r CROSS JOIN remembered ORDER BY r.place;
