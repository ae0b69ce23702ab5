-- What hangs on the embedding column and could not be kept, with the ways of applying that it rules out.
--
-- ALTER COLUMN TYPE (rewrite, widen) keeps indexes, constraints, statistics and comments, and refuses rules, policies,
-- generated columns, triggers on the column, functions with an SQL body and, in other tables, columns of the table's row
-- type. DROP COLUMN (swap) drops every index and constraint that mentions the column. What can be kept but is about the
-- old dimension, or has no room for the new one, is listed too. Views are listed by views.sql.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    dimension, embedding_type, oid, embedding_column, old_dimension, dimension_changes

WITH RECURSIVE embedding AS (
    SELECT
        a.attnum, a.attstorage,
        -- a header of 8 bytes, then 4 bytes a dimension, halfvec 2
        8 + :dimension * CASE :'embedding_type' WHEN 'halfvec' THEN 2 ELSE 4 END AS bytes
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = :oid::oid AND a.attname = :'embedding_column'
),
dependents AS (
    SELECT DISTINCT d.classid, d.objid, d.objsubid
    FROM pg_catalog.pg_depend d
    JOIN embedding e ON e.attnum = d.refobjsubid
    WHERE d.refclassid = 'pg_catalog.pg_class'::regclass
      AND d.refobjid = :oid::oid
      -- the column's own default comes along, and PostgreSQL 18 keeps NOT NULL as a constraint that does too
      AND NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass AND EXISTS (
              SELECT FROM pg_catalog.pg_attrdef ad WHERE ad.oid = d.objid AND ad.adnum = e.attnum))
      AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass AND EXISTS (
              SELECT FROM pg_catalog.pg_constraint co WHERE co.oid = d.objid AND co.contype = 'n'))
),
-- the table's row type, and the types made of it
row_types (oid) AS (
    SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typrelid = :oid::oid
    UNION
    SELECT t.oid
    FROM row_types r
    JOIN pg_catalog.pg_type t ON t.typelem = r.oid OR t.typbasetype = r.oid OR EXISTS (
        SELECT FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'c'
        WHERE a.atttypid = r.oid AND NOT a.attisdropped AND c.reltype = t.oid)
),
described AS (
    SELECT
        d.*,
        am.amname,
        -- of an index on a part of the vector, or on all of it
        CASE WHEN i.indkey[0] = 0
                AND i.indexprs::text ~ (':varattno ' || e.attnum || '\M')
            THEN k.atttypmod END AS key_dimension,
        (e.attnum = ANY (i.indkey::smallint[])) AND am.amname = 'btree' AND e.bytes + 8 > 2704 AS too_large,
        r.ev_class,
        -- what is said of the column's vectors, their dimension perhaps
        CASE d.classid
            WHEN 'pg_catalog.pg_constraint'::regclass THEN pg_catalog.pg_get_constraintdef(d.objid)
            ELSE pg_catalog.concat_ws(' ',
                pg_catalog.pg_get_expr(i.indexprs, i.indrelid), pg_catalog.pg_get_expr(i.indpred, i.indrelid))
        END AS says
    FROM dependents d
    CROSS JOIN embedding e
    LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = d.objid
    LEFT JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
    LEFT JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indexrelid AND k.attnum = 1
    LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
),
judged AS (
    SELECT
        d.*,
        d.amname IN ('hnsw', 'ivfflat') AS is_vector_index,
        coalesce(CASE
            -- brought along, but for one on a part of the vector that the new ones are too short for
            WHEN d.amname IN ('hnsw', 'ivfflat') THEN
                d.key_dimension <> :old_dimension::integer AND d.key_dimension > :dimension
            WHEN :old_dimension::integer IS NOT NULL THEN
                :dimension_changes AND d.says ~ ('\m' || :old_dimension::integer || '\M')
            ELSE d.says ~ '\m(vector_dims|array_length|cardinality)\M' AND d.says !~ ('\m' || :dimension || '\M')
        END, false) AS wrong_dimension
    FROM described d
)
SELECT
    pg_catalog.pg_describe_object(j.classid, j.objid, j.objsubid) AS object,
    CASE
        WHEN j.is_vector_index THEN 'an index longer than the new dimension'
        WHEN j.wrong_dimension THEN 'about the old dimension'
        WHEN j.too_large THEN 'an index whose rows would not fit in a page'
        ELSE CASE j.classid
            WHEN 'pg_catalog.pg_rewrite'::regclass THEN 'a rule'
            WHEN 'pg_catalog.pg_policy'::regclass THEN 'a row security policy'
            WHEN 'pg_catalog.pg_trigger'::regclass THEN 'a trigger on this column'
            WHEN 'pg_catalog.pg_proc'::regclass THEN 'a function with an SQL body'
            WHEN 'pg_catalog.pg_attrdef'::regclass THEN 'a generated column'
            WHEN 'pg_catalog.pg_constraint'::regclass THEN 'a constraint'
            WHEN 'pg_catalog.pg_statistic_ext'::regclass THEN 'extended statistics'
            WHEN 'pg_catalog.pg_publication_rel'::regclass THEN 'a publication'
            WHEN 'pg_catalog.pg_class'::regclass THEN 'an index'
            ELSE 'another object'
        END
    END AS kind,
    j.wrong_dimension OR coalesce(j.too_large, false) OR j.classid NOT IN (
        'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_constraint'::regclass
    ) AS blocks_alter,
    j.wrong_dimension OR NOT coalesce(j.is_vector_index, false) AS blocks_swap
FROM judged j
WHERE (j.wrong_dimension OR NOT coalesce(j.is_vector_index, false))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class v WHERE v.oid = j.ev_class AND v.relkind IN ('v', 'm'))
UNION ALL
SELECT
    pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, a.attrelid, a.attnum),
    'of the row type of this table', true, true
FROM row_types r
JOIN pg_catalog.pg_attribute a ON a.atttypid = r.oid AND NOT a.attisdropped
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm', 'p')
UNION ALL
SELECT 'STORAGE PLAIN', 'in which no vector of the new dimension fits in a page', true, true
FROM embedding e
WHERE e.attstorage = 'p' AND e.bytes > 8100
ORDER BY 1;
