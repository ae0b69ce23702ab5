-- What hangs on the embedding column and could not be kept, with the ways of applying that it rules out.
--
-- ALTER COLUMN TYPE (rewrite, widen) keeps indexes, constraints, statistics and comments, and refuses views, rules,
-- policies, generated columns, triggers on the column and functions with an SQL body. DROP COLUMN (swap) drops every
-- index and constraint that mentions the column. recreate is the statement that makes a view again once it was dropped.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid, embedding_column, dimension_changes, old_dimension

WITH dependents AS (
    SELECT DISTINCT d.classid, d.objid, d.objsubid, a.attnum
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.refclassid = 'pg_catalog.pg_class'::regclass
      AND d.refobjid = :oid::oid
      AND a.attname = :'embedding_column'
),
classified AS (
    SELECT
        pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) AS object,
        CASE d.classid
            WHEN 'pg_catalog.pg_rewrite'::regclass THEN 'a view or rule'
            WHEN 'pg_catalog.pg_policy'::regclass THEN 'a row security policy'
            WHEN 'pg_catalog.pg_trigger'::regclass THEN 'a trigger on this column'
            WHEN 'pg_catalog.pg_proc'::regclass THEN 'a function with an SQL body'
            WHEN 'pg_catalog.pg_attrdef'::regclass THEN 'a generated column'
            WHEN 'pg_catalog.pg_constraint'::regclass THEN 'a constraint'
            WHEN 'pg_catalog.pg_statistic_ext'::regclass THEN 'extended statistics'
            WHEN 'pg_catalog.pg_publication_rel'::regclass THEN 'a publication'
            WHEN 'pg_catalog.pg_class'::regclass THEN 'an index'
            ELSE 'another object'
        END AS kind,
        CASE
            -- an index, statistics and a constraint live through ALTER COLUMN TYPE, unless the constraint
            -- is about the old dimension
            WHEN d.classid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_statistic_ext'::regclass) THEN false
            WHEN d.classid = 'pg_catalog.pg_constraint'::regclass THEN
                :dimension_changes AND pg_catalog.pg_get_constraintdef(d.objid) ~ ('\m' || :old_dimension || '\M')
            ELSE true
        END AS blocks_alter,
        CASE
            WHEN d.classid = 'pg_catalog.pg_class'::regclass THEN NOT EXISTS (
                SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am am ON am.oid = c.relam
                WHERE c.oid = d.objid AND am.amname IN ('hnsw', 'ivfflat'))
            ELSE true
        END AS blocks_swap,
        CASE WHEN v.relkind IN ('v', 'm') THEN pg_catalog.format(
            'CREATE %s %I.%I AS %s',
            CASE v.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END,
            vn.nspname, v.relname, pg_catalog.pg_get_viewdef(v.oid)) END AS recreate
    FROM dependents d
    LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
    LEFT JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
    -- the column's own default comes along, and PostgreSQL 18 keeps NOT NULL as a constraint that does too
    WHERE NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass AND EXISTS (
              SELECT FROM pg_catalog.pg_attrdef ad WHERE ad.oid = d.objid AND ad.adnum = d.attnum))
      AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass AND EXISTS (
              SELECT FROM pg_catalog.pg_constraint co WHERE co.oid = d.objid AND co.contype = 'n'))
)
SELECT object, kind, blocks_alter, blocks_swap, recreate
FROM classified
WHERE blocks_alter OR blocks_swap
ORDER BY object;
