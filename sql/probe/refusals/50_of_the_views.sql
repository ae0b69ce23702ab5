-- List the views that read the embedding column, and the views on these views.
--
-- ALTER COLUMN TYPE and DROP COLUMN are refused while they are there, and after RENAME they follow the old column. With
-- recreate_views, views/ drops them and makes them again in the same transaction. Without it, they rule the way out.
--
-- Each comes with statements that drop it and that make it again. The first view to be made comes first. What is made again has
-- its options, owner, grants, comments, labels, defaults, rules, triggers, indexes and statistics. A materialized view is filled
-- again if it was filled: by REFRESH, once it is its owner's, for the server runs its query with the owner's rights. A view that
-- cannot be made again exactly is named with the reason.
--
-- The first row only says which column was asked. The rows are remembered for this transaction, for 80_by_way.sql and views/save/.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    from_dimension, dimension, embedding_column, schema, table, recreate_views

WITH RECURSIVE embedding AS (
    SELECT
        c.oid AS target, a.attnum, format('%I.%I.%I', n.nspname, c.relname, a.attname) AS "column",
        coalesce(nullif(a.atttypmod, -1), :from_dimension::integer) AS old_dimension,
        coalesce(nullif(a.atttypmod, -1), :from_dimension::integer) IS DISTINCT FROM :dimension::integer AS dimension_changes,
        coalesce(nullif(current_setting('vestige_sql.views', true), '')::jsonb ->> 'of', '')
            = format('%I.%I.%I', n.nspname, c.relname, a.attname) AS views_are_dropped
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    WHERE n.nspname = :'schema' AND c.relname = :'table' AND c.relkind IN ('r', 'p')
),
-- the column in the table, and in each of its partitions
columns (target, attnum) AS (
    SELECT e.target, e.attnum FROM embedding e
    UNION
    SELECT a.attrelid, a.attnum
    FROM columns e
    JOIN pg_catalog.pg_inherits i ON i.inhparent = e.target
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.inhrelid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
),
readers (oid, level) AS (
    SELECT r.ev_class, 1
    FROM columns e
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
        format('%I.%I', n.nspname, c.relname) AS name,
        pg_get_userbyid(c.relowner) AS owner,
        CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END AS what,
        rtrim(pg_get_viewdef(c.oid), ';') AS definition,
        -- what a dimension stands in where it is one: a cast, or a comparison
        '(\m(vector|halfvec|bit|sparsevec)\(|\mvector_dims\([^=<>]*\) (=|<>) )' || e.old_dimension || '\M' AS says_dimension,
        e.old_dimension, e.dimension_changes, e.views_are_dropped, e."column",
        (SELECT max(r.level) FROM readers r WHERE r.oid = c.oid) AS level
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN embedding e
    WHERE c.oid IN (SELECT oid FROM readers)
),
parts AS (
    -- what belongs to a view and goes and comes with it
    SELECT v.oid AS view, 'pg_catalog.pg_class'::regclass AS classid, v.oid AS objid FROM views v
    UNION ALL
    SELECT v.oid, 'pg_catalog.pg_class'::regclass, i.indexrelid FROM views v JOIN pg_catalog.pg_index i ON i.indrelid = v.oid
    UNION ALL
    SELECT v.oid, 'pg_catalog.pg_class'::regclass, x.oid
    FROM views v
    LEFT JOIN pg_catalog.pg_index i ON i.indrelid = v.reltoastrelid
    CROSS JOIN LATERAL (VALUES (v.reltoastrelid), (i.indexrelid)) AS x (oid)
    WHERE x.oid <> 0
    UNION ALL
    SELECT v.oid, 'pg_catalog.pg_type'::regclass, t.oid
    FROM views v JOIN pg_catalog.pg_type y ON y.oid = v.reltype JOIN pg_catalog.pg_type t ON t.oid IN (y.oid, y.typarray)
    UNION ALL
    SELECT v.oid, 'pg_catalog.pg_rewrite'::regclass, r.oid FROM views v JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid
    UNION ALL
    SELECT v.oid, 'pg_catalog.pg_trigger'::regclass, g.oid FROM views v JOIN pg_catalog.pg_trigger g ON g.tgrelid = v.oid
    UNION ALL
    SELECT v.oid, 'pg_catalog.pg_attrdef'::regclass, d.oid FROM views v JOIN pg_catalog.pg_attrdef d ON d.adrelid = v.oid
    UNION ALL
    SELECT v.oid, 'pg_catalog.pg_statistic_ext'::regclass, s.oid FROM views v JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = v.oid
),
grants AS (
    SELECT v.oid AS view, 0 AS attnum, NULL AS attname, x.* FROM views v CROSS JOIN LATERAL aclexplode(v.relacl) AS x
    UNION ALL
    SELECT v.oid, a.attnum, a.attname, x.*
    FROM views v
    JOIN pg_catalog.pg_attribute a ON a.attrelid = v.oid
    CROSS JOIN LATERAL aclexplode(a.attacl) AS x
),
indexes AS (
    SELECT
        i.indrelid AS view, i.indexrelid, i.indexrelid::regclass AS name, i.indisclustered, i.indisvalid, c.relname,
        pg_get_indexdef(i.indexrelid) AS definition,
        -- pgvector's limits, for an index on the column itself
        h.proname IN ('hnswhandler', 'ivfflathandler') AND i.indkey[0] <> 0 AND k.atttypmod = v.old_dimension
            AND :dimension > CASE t.typname WHEN 'vector' THEN 2000 WHEN 'halfvec' THEN 4000 END AS is_too_long
    FROM views v
    JOIN pg_catalog.pg_index i ON i.indrelid = v.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_am am ON am.oid = c.relam
    JOIN pg_catalog.pg_proc h ON h.oid = am.amhandler
    JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indexrelid AND k.attnum = 1
    JOIN pg_catalog.pg_type t ON t.oid = k.atttypid
),
owners_grants AS (
    -- of an owner that took some rights from itself
    SELECT v.oid AS view, v.name, v.owner
    FROM views v
    WHERE v.relacl IS NOT NULL AND EXISTS (
        SELECT FROM aclexplode(acldefault('r', v.relowner)) AS x
        WHERE NOT EXISTS (
            SELECT FROM grants g
            WHERE g.view = v.oid AND g.attnum = 0 AND g.grantee = v.relowner AND g.privilege_type = x.privilege_type))
),
-- why a view cannot be made again as it was
faults AS (
    SELECT v.oid, concat_ws(', ',
        CASE WHEN v.views_are_dropped THEN 'which came while the others were dropped' END,
        CASE WHEN v.relpersistence = 't' THEN 'temporary' END,
        (SELECT 'which belongs to the extension ' || string_agg(DISTINCT x.extname, ', ')
         FROM parts p
         JOIN pg_catalog.pg_depend d ON d.classid = p.classid AND d.objid = p.objid
         JOIN pg_catalog.pg_extension x ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND x.oid = d.refobjid
         WHERE p.view = v.oid AND d.deptype IN ('e', 'x')),
        (SELECT 'which is used by ' || string_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid), ', ')
         FROM parts p
         JOIN pg_catalog.pg_depend d ON d.refclassid = p.classid AND d.refobjid = p.objid
         WHERE p.view = v.oid AND NOT EXISTS (SELECT FROM parts o WHERE o.classid = d.classid AND o.objid = d.objid)),
        -- These have an operator that no definition names, and the pinned search_path finds PostgreSQL's own alone.
        (SELECT 'which compares by USING, IS DISTINCT FROM, NULLIF or CASE, with an operator that is not PostgreSQL''s own'
         WHERE EXISTS (
             SELECT FROM parts p
             JOIN pg_catalog.pg_depend d
                 ON d.classid = p.classid AND d.objid = p.objid AND d.refclassid = 'pg_catalog.pg_operator'::regclass
             JOIN pg_catalog.pg_operator o ON o.oid = d.refobjid AND o.oprname = '='
             WHERE p.view = v.oid)
           AND concat(v.definition,
               (SELECT string_agg(i.definition, ' ') FROM indexes i WHERE i.view = v.oid),
               (SELECT string_agg(pg_get_ruledef(r.oid), ' ') FROM pg_catalog.pg_rewrite r WHERE r.ev_class = v.oid AND r.rulename <> '_RETURN'))
             ~ 'DISTINCT FROM |NULLIF\(|USING \(|CASE (?!WHEN)'),
        CASE WHEN v.dimension_changes AND v.definition ~ v.says_dimension THEN 'which says the old dimension' END,
        (SELECT 'whose index ' || string_agg(i.name::text, ', ' ORDER BY i.indexrelid) || ' says the old dimension'
         FROM indexes i WHERE i.view = v.oid AND v.dimension_changes AND i.definition ~ v.says_dimension),
        (SELECT 'whose index ' || string_agg(i.name::text, ', ' ORDER BY i.indexrelid) || ' cannot be built for so many dimensions'
         FROM indexes i WHERE i.view = v.oid AND i.is_too_long),
        (SELECT 'whose index ' || string_agg(i.name::text, ', ' ORDER BY i.indexrelid) || ' is INVALID'
         FROM indexes i WHERE i.view = v.oid AND NOT i.indisvalid),
        (SELECT 'with grants of ' || string_agg(DISTINCT quote_ident(pg_get_userbyid(g.grantor)), ', ') || ', which does not own it'
         FROM grants g WHERE g.view = v.oid AND g.grantor <> v.relowner),
        (SELECT 'with grants on its type' FROM pg_catalog.pg_type t WHERE t.oid = v.reltype AND t.typacl IS NOT NULL),
        (SELECT 'with a rule or trigger that is disabled'
         WHERE EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = v.oid AND r.ev_enabled <> 'O')
            OR EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = v.oid AND g.tgenabled <> 'O')),
        CASE WHEN v.relkind = 'm' AND v.relreplident <> 'd' THEN 'with a replica identity' END,
        CASE WHEN NOT (
                pg_has_role(v.relowner, 'USAGE')
                AND pg_has_role(v.relowner, CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END)
                AND has_schema_privilege(v.relnamespace, 'CREATE')
                AND (v.reltablespace = 0 OR has_tablespace_privilege(v.reltablespace, 'CREATE'))
                -- whoever gets a view has to be one who may make it, unless a superuser gives it
                AND (has_schema_privilege(v.relowner, v.relnamespace, 'CREATE')
                     OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = current_user AND r.rolsuper)))
            THEN format('which role %I may not make again for its owner %I', current_user, v.owner) END
        ) AS fault
    FROM views v
),
-- the statements that make a view again, in their order
made (view, place, nr, statement) AS (
    SELECT v.oid, 1, 0, format('CREATE %s %s%s%s%s AS%s%s%s;', v.what, v.name,
        (SELECT ' USING ' || quote_ident(am.amname) FROM pg_catalog.pg_am am
         WHERE am.oid = v.relam AND am.amname <> current_setting('default_table_access_method')),
        (SELECT ' WITH (' || string_agg(split_part(o.said, '=', 1) || '=' || CASE
                WHEN o.value ~ '^[A-Za-z0-9_.]+$' THEN o.value ELSE quote_literal(o.value) END, ', ' ORDER BY o.place) || ')'
         FROM (SELECT u.said, substr(u.said, strpos(u.said, '=') + 1) AS value, u.place
               FROM unnest(coalesce(v.reloptions, '{}') || ARRAY(
                   SELECT 'toast.' || x FROM pg_catalog.pg_class tc CROSS JOIN LATERAL unnest(tc.reloptions) AS x WHERE tc.oid = v.reltoastrelid))
                   WITH ORDINALITY AS u (said, place)) AS o),
        (SELECT ' TABLESPACE ' || quote_ident(s.spcname)
         FROM pg_catalog.pg_tablespace s
         WHERE v.relkind = 'm' AND s.oid = CASE
             WHEN v.reltablespace <> 0 THEN v.reltablespace
             WHEN current_setting('default_tablespace') <> '' THEN (
                 SELECT d.dattablespace FROM pg_catalog.pg_database d WHERE d.datname = current_database()) END),
        E'\n', v.definition, CASE v.relkind WHEN 'm' THEN E'\n  WITH NO DATA' END)
    FROM views v
    UNION ALL
    SELECT v.oid, 2, 0, format('ALTER %s %s OWNER TO %I;', v.what, v.name, v.owner)
    FROM views v WHERE v.relowner <> current_user::regrole
    UNION ALL
    -- what this role's default privileges gave with it
    SELECT v.oid, 3, 0, format('REVOKE ALL ON %s FROM %s;', v.name, string_agg(DISTINCT
        CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(CASE x.grantee WHEN d.defaclrole THEN v.relowner ELSE x.grantee END)) END, ', '))
    FROM views v
    JOIN pg_catalog.pg_default_acl d
        ON d.defaclrole = current_user::regrole AND d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, v.relnamespace)
    CROSS JOIN LATERAL aclexplode(d.defaclacl) AS x
    GROUP BY v.oid, v.name
    UNION ALL
    SELECT v.oid, 4, 0, format('GRANT ALL ON %s TO %I;', v.name, v.owner)
    FROM views v
    WHERE EXISTS (SELECT FROM pg_catalog.pg_default_acl d WHERE d.defaclrole = current_user::regrole AND d.defaclobjtype = 'r')
    UNION ALL
    SELECT o.view, 5, 0, format('REVOKE ALL ON %s FROM %I;', o.name, o.owner) FROM owners_grants o
    UNION ALL
    SELECT g.view, 6, g.attnum, format('GRANT %s%s ON %s TO %s%s;', g.privilege_type, ' (' || quote_ident(g.attname) || ')', v.name,
        CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
        CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM grants g
    JOIN views v ON v.oid = g.view
    WHERE g.grantee <> v.relowner OR g.attnum <> 0 OR EXISTS (SELECT FROM owners_grants o WHERE o.view = v.oid)
    UNION ALL
    SELECT v.oid, 7, d.objsubid, CASE d.objsubid
        WHEN 0 THEN format('COMMENT ON %s %s IS %L;', v.what, v.name, d.description)
        ELSE format('COMMENT ON COLUMN %s.%I IS %L;', v.name, a.attname, d.description) END
    FROM views v
    JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = v.oid
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = v.oid AND a.attnum = d.objsubid
    UNION ALL
    SELECT v.oid, 7, 0, format('COMMENT ON TYPE %s IS %L;', v.name, d.description)
    FROM views v
    JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_type'::regclass AND d.objoid = v.reltype
    UNION ALL
    SELECT v.oid, 8, a.attnum, format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s;', v.name, a.attname, pg_get_expr(d.adbin, d.adrelid))
    FROM views v
    JOIN pg_catalog.pg_attrdef d ON d.adrelid = v.oid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    UNION ALL
    SELECT v.oid, 9, a.attnum, format('ALTER MATERIALIZED VIEW %s ALTER COLUMN %I SET %s;', v.name, a.attname, s.said)
    FROM views v
    JOIN pg_catalog.pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    CROSS JOIN LATERAL (VALUES
        (a.attstorage <> t.typstorage, 'STORAGE '
            || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END),
        (a.attcompression <> '', 'COMPRESSION ' || CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END),
        (a.attstattarget >= 0, 'STATISTICS ' || a.attstattarget),
        (a.attoptions IS NOT NULL, '(' || array_to_string(a.attoptions, ', ') || ')')
    ) AS s (is_set, said)
    WHERE v.relkind = 'm' AND s.is_set
    UNION ALL
    SELECT v.oid, 10, s.nr, s.said
    FROM views v
    JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid AND r.rulename <> '_RETURN'
    CROSS JOIN LATERAL (VALUES
        (1, pg_get_ruledef(r.oid)),
        (2, format('COMMENT ON RULE %I ON %s IS ', r.rulename, v.name) || quote_literal(obj_description(r.oid, 'pg_rewrite')) || ';')
    ) AS s (nr, said)
    UNION ALL
    SELECT v.oid, 11, s.nr, s.said
    FROM views v
    JOIN pg_catalog.pg_trigger g ON g.tgrelid = v.oid AND NOT g.tgisinternal
    CROSS JOIN LATERAL (VALUES
        (1, pg_get_triggerdef(g.oid) || ';'),
        (2, format('COMMENT ON TRIGGER %I ON %s IS ', g.tgname, v.name) || quote_literal(obj_description(g.oid, 'pg_trigger')) || ';')
    ) AS s (nr, said)
    UNION ALL
    SELECT i.view, 12, s.nr, s.said
    FROM indexes i
    JOIN views v ON v.oid = i.view
    CROSS JOIN LATERAL (
        SELECT 1, i.definition || ';'
        UNION ALL
        SELECT 2, format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s;', i.name, a.attnum, a.attstattarget)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0
        UNION ALL
        SELECT 3, format('COMMENT ON INDEX %s IS ', i.name) || quote_literal(obj_description(i.indexrelid, 'pg_class')) || ';'
        UNION ALL
        SELECT 4, format('ALTER MATERIALIZED VIEW %s CLUSTER ON %I;', v.name, i.relname) WHERE i.indisclustered
    ) AS s (nr, said)
    UNION ALL
    SELECT v.oid, 13, s.nr, s.said
    FROM views v
    JOIN pg_catalog.pg_statistic_ext x ON x.stxrelid = v.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = x.stxnamespace
    CROSS JOIN LATERAL (VALUES
        (1, pg_get_statisticsobjdef(x.oid) || ';'),
        (2, CASE WHEN x.stxowner <> current_user::regrole THEN
            format('ALTER STATISTICS %I.%I OWNER TO %I;', n.nspname, x.stxname, pg_get_userbyid(x.stxowner)) END),
        (3, CASE WHEN x.stxstattarget >= 0 THEN format('ALTER STATISTICS %I.%I SET STATISTICS %s;', n.nspname, x.stxname, x.stxstattarget) END),
        (4, format('COMMENT ON STATISTICS %I.%I IS ', n.nspname, x.stxname)
            || quote_literal(obj_description(x.oid, 'pg_statistic_ext')) || ';')
    ) AS s (nr, said)
    UNION ALL
    SELECT v.oid, 14, s.objsubid, CASE s.objsubid
        WHEN 0 THEN format('SECURITY LABEL FOR %I ON %s %s IS %L;', s.provider, v.what, v.name, s.label)
        ELSE format('SECURITY LABEL FOR %I ON COLUMN %s.%I IS %L;', s.provider, v.name, a.attname, s.label) END
    FROM views v
    JOIN pg_catalog.pg_seclabel s ON s.classoid = 'pg_catalog.pg_class'::regclass AND s.objoid = v.oid
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = v.oid AND a.attnum = s.objsubid
    UNION ALL
    -- Both run the view's query and functions as its owner.
    SELECT v.oid, 15, s.nr, format(s.said, v.name)
    FROM views v
    CROSS JOIN (VALUES (1, 'REFRESH MATERIALIZED VIEW %s;'), (2, 'ANALYZE %s;')) AS s (nr, said)
    WHERE v.relkind = 'm' AND v.relispopulated
),
refusals (place, what, object, message, hint, remove, restore, rules_out, level) AS (
    SELECT
        0, 'asked', format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
        'views of it, and views of those', '', '{}'::text[], '{}'::text[], '{}'::text[], 0
    UNION ALL
    SELECT
        300, CASE f.fault WHEN '' THEN 'view' ELSE 'view_not_made' END, d.name,
        format('%s hangs on %s and cannot be kept', d.name, v."column"),
        'drop it before the run and recreate it afterwards; nothing was written',
        ARRAY[format('DROP %s %s;', v.what, v.name)],
        ARRAY(SELECT m.statement FROM made m WHERE m.view = v.oid AND m.statement IS NOT NULL ORDER BY m.place, m.nr, m.statement),
        CASE WHEN f.fault = '' AND :recreate_views THEN '{}'::text[] ELSE '{rewrite,widen,swap,online,back}' END, v.level
    FROM views v
    JOIN faults f ON f.oid = v.oid
    CROSS JOIN LATERAL (
        SELECT pg_describe_object('pg_catalog.pg_class'::regclass, v.oid, 0) || coalesce(' (' || nullif(f.fault, '') || ')', '')
    ) AS d (name)
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('views', (SELECT jsonb_agg(to_jsonb(r) - 'level' ORDER BY r.level, r.object) FROM refusals r)))::text, true)
)
SELECT r.place, r.what, r.object, r.message, r.hint, r.remove, r.restore, r.rules_out
FROM refusals r CROSS JOIN remembered
ORDER BY r.level, r.object;
