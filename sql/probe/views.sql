-- The views that read the embedding column, views on these views included, each with statements that drop it and that
-- make it again: options, owner, grants, comments, defaults, rules, triggers and indexes. The first to be made comes first.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid, embedding_column

WITH RECURSIVE readers (oid, level) AS (
    SELECT r.ev_class, 1
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = :oid::oid
      AND a.attname = :'embedding_column'
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
)
SELECT
    pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, v.oid, 0) AS object,
    pg_catalog.format('DROP %s %s;', v.what, v.name) AS drop,
    pg_catalog.concat_ws(E'\n',
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
    ) AS recreate
FROM views v
ORDER BY v.level, v.name;
