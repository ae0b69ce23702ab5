-- List the views that read the embedding column, and the views on these views.
--
-- Each comes with statements that drop it and that make it again. What is made again has its options, owner, grants, comments,
-- defaults, rules, triggers and indexes. The first view to be made comes first.
--
-- No way keeps the views. ALTER COLUMN TYPE and DROP COLUMN are refused, and after RENAME the views follow the old column. The
-- first row only says which column was asked. The rows are remembered for this transaction, for 80_by_way.sql.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    embedding_column, schema, table

WITH RECURSIVE embedding AS (
    SELECT c.oid AS target, a.attnum, format('%I.%I.%I', n.nspname, c.relname, a.attname) AS "column"
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    WHERE n.nspname = :'schema' AND c.relname = :'table' AND c.relkind = 'r'
),
readers (oid, level) AS (
    SELECT r.ev_class, 1
    FROM embedding e
    JOIN pg_catalog.pg_depend d
        ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = e.target AND d.refobjsubid = e.attnum
        AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
    UNION
    SELECT r.ev_class, readers.level + 1
    FROM readers
    JOIN pg_catalog.pg_depend d
        ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = readers.oid
        AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> readers.oid
    JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
),
views AS (
    SELECT
        c.*,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
        CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END AS what,
        (SELECT max(r.level) FROM readers r WHERE r.oid = c.oid) AS level
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN (SELECT oid FROM readers)
),
refusals (place, what, object, message, hint, remove, restore, rules_out, level) AS (
    SELECT
        0, 'asked', format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
        'views of it, and views of those', '', '{}'::text[], '{}'::text[], '{}'::text[], 0
    UNION ALL
    SELECT
        300, 'view', d.name,
        format('%s hangs on %s and cannot be kept', d.name, e."column"),
        'drop it before the run and recreate it afterwards; nothing was written',
        ARRAY[format('DROP %s %s;', v.what, v.name)],
        ARRAY[pg_catalog.concat_ws(E'\n',
                pg_catalog.format('CREATE %s %s', v.what, v.name)
                    || coalesce(' WITH (' || pg_catalog.array_to_string(v.reloptions, ', ') || ')', '')
                    || coalesce((SELECT ' TABLESPACE ' || pg_catalog.quote_ident(s.spcname)
                                 FROM pg_catalog.pg_tablespace s WHERE s.oid = v.reltablespace), '')
                    || ' AS' || E'\n' || pg_catalog.rtrim(pg_catalog.pg_get_viewdef(v.oid), ';')
                    || CASE WHEN v.relispopulated THEN ';' ELSE ' WITH NO DATA;' END,
                CASE WHEN v.relowner <> current_user::regrole THEN
                    pg_catalog.format('ALTER %s %s OWNER TO %I;', v.what, v.name, pg_catalog.pg_get_userbyid(v.relowner)) END,
                (SELECT pg_catalog.string_agg(pg_catalog.format('GRANT %s%s ON %s TO %s%s;',
                            g.privilege_type, ' (' || pg_catalog.quote_ident(g.attname) || ')', v.name,
                            CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
                            CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END),
                        E'\n' ORDER BY g.attnum, g.grantee, g.privilege_type)
                 FROM (
                     SELECT 0 AS attnum, NULL AS attname, x.* FROM pg_catalog.aclexplode(v.relacl) x
                     UNION ALL
                     SELECT a.attnum, a.attname, x.*
                     FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x
                     WHERE a.attrelid = v.oid
                 ) AS g
                 WHERE g.grantee <> v.relowner),
                (SELECT pg_catalog.string_agg(
                            CASE d.objsubid
                                WHEN 0 THEN pg_catalog.format('COMMENT ON %s %s IS %L;', v.what, v.name, d.description)
                                ELSE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L;', v.name, a.attname, d.description) END,
                            E'\n' ORDER BY d.objsubid)
                 FROM pg_catalog.pg_description d
                 LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
                 WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = v.oid),
                (SELECT pg_catalog.string_agg(pg_catalog.format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s;', v.name, a.attname,
                            pg_catalog.pg_get_expr(d.adbin, d.adrelid)), E'\n' ORDER BY a.attnum)
                 FROM pg_catalog.pg_attrdef d
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
                 WHERE d.adrelid = v.oid),
                (SELECT pg_catalog.string_agg(pg_catalog.pg_get_ruledef(r.oid), E'\n' ORDER BY r.rulename)
                 FROM pg_catalog.pg_rewrite r WHERE r.ev_class = v.oid AND r.rulename <> '_RETURN'),
                (SELECT pg_catalog.string_agg(pg_catalog.pg_get_triggerdef(t.oid) || ';', E'\n' ORDER BY t.tgname)
                 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = v.oid AND NOT t.tgisinternal),
                (SELECT pg_catalog.string_agg(pg_catalog.pg_get_indexdef(i.indexrelid) || ';', E'\n' ORDER BY i.indexrelid)
                 FROM pg_catalog.pg_index i WHERE i.indrelid = v.oid)
            )],
        '{rewrite,widen,swap,online,back}', v.level
    FROM views v
    CROSS JOIN embedding e
    CROSS JOIN LATERAL (SELECT pg_describe_object('pg_catalog.pg_class'::regclass, v.oid, 0)) AS d (name)
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('views', (SELECT jsonb_agg(to_jsonb(r) - 'level' ORDER BY r.level, r.object) FROM refusals r)))::text, true)
)
SELECT r.place, r.what, r.object, r.message, r.hint, r.remove, r.restore, r.rules_out
FROM refusals r CROSS JOIN remembered
ORDER BY r.level, r.object;
