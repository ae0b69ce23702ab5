-- List what hangs on the embedding column and cannot be kept, the ways of applying that it rules out, and the way out.
--
-- ALTER COLUMN TYPE (rewrite, widen) keeps indexes, constraints, statistics and comments. It refuses rules, policies,
-- generated columns, triggers on the column and functions with an SQL body. It also refuses columns of the table's row type in
-- other tables. DROP COLUMN (swap) drops every index and constraint that mentions the column. The renames of online and back
-- leave them on the other column. What hangs on a partition's column counts too. What can be kept is listed too if it is about the old dimension, or has no room for the new
-- one. 50_of_the_views.sql lists the views.
--
-- The first row only says which column was asked. remove holds statements that take the reason away. restore holds statements
-- that make again what those took. One that cannot be made again as it was stands in a comment. The rows are remembered for
-- this transaction, for 80_by_way.sql.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, from_dimension, dimension, embedding_column

WITH RECURSIVE tables (oid, is_root) AS (
    SELECT c.oid, true
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :'schema' AND c.relname = :'table' AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT i.inhrelid, false FROM tables t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
),
-- the column in the table, and in each of its partitions
embedding AS (
    SELECT
        c.oid AS target, x.is_root, c.relkind = 'p' OR NOT x.is_root AS is_partitioned, format('%I.%I', n.nspname, c.relname) AS name, a.attname, a.attnum, a.attstorage,
        format('%I.%I.%I', n.nspname, c.relname, a.attname) AS "column",
        coalesce(nullif(a.atttypmod, -1), :from_dimension::integer) AS old_dimension,
        coalesce(nullif(a.atttypmod, -1), :from_dimension::integer) IS DISTINCT FROM :dimension::integer AS dimension_changes,
        -- a header of 8 bytes, then 4 bytes a dimension, or 2 for halfvec
        8 + :dimension * CASE t.typname WHEN 'halfvec' THEN 2 ELSE 4 END AS bytes,
        8 + coalesce(nullif(a.atttypmod, -1), :from_dimension::integer) * CASE t.typname WHEN 'halfvec' THEN 2 ELSE 4 END AS old_bytes
    FROM tables x
    JOIN pg_catalog.pg_class c ON c.oid = x.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
),
dependents AS (
    SELECT DISTINCT d.classid, d.objid, d.objsubid, e.target AS of
    FROM embedding e
    JOIN pg_catalog.pg_depend d
        ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = e.target AND d.refobjsubid = e.attnum
    -- The column's own default comes along. So does NOT NULL, which PostgreSQL 18 keeps as a constraint.
    WHERE NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass AND EXISTS (
              SELECT FROM pg_catalog.pg_attrdef ad WHERE ad.oid = d.objid AND ad.adnum = e.attnum))
      AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass AND EXISTS (
              SELECT FROM pg_catalog.pg_constraint co WHERE co.oid = d.objid AND co.contype = 'n'))
      -- A partition has an index, a constraint or a trigger of its own for each of the partitioned table's. That one is named.
      AND NOT (d.classid = 'pg_catalog.pg_class'::regclass AND EXISTS (
              SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = d.objid))
      AND NOT (NOT e.is_root AND d.classid = 'pg_catalog.pg_constraint'::regclass AND EXISTS (
              SELECT FROM pg_catalog.pg_constraint co WHERE co.oid = d.objid AND NOT co.conislocal))
      AND NOT (d.classid = 'pg_catalog.pg_trigger'::regclass AND EXISTS (
              SELECT FROM pg_catalog.pg_trigger g WHERE g.oid = d.objid AND g.tgparentid <> 0))
),
-- the table's row type, and the types made of it
row_types (oid) AS (
    SELECT t.oid FROM embedding e JOIN pg_catalog.pg_type t ON t.typrelid = e.target
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
        d.*, e."column", e.old_dimension, e.dimension_changes, e.is_partitioned, c.relkind, am.amname,
        regexp_replace(quote_ident(e.attname), '([^\w])', '\\\1', 'g') AS name_here,
        -- vestige_sql.is_vector_index() says the same, and that function may not be there yet
        am.amname IN ('hnsw', 'ivfflat') OR EXISTS (
            SELECT FROM pg_catalog.pg_amop ao
            LEFT JOIN pg_catalog.pg_depend de ON de.classid = 'pg_catalog.pg_type'::regclass AND de.objid = ao.amoplefttype
                AND de.refclassid = 'pg_catalog.pg_extension'::regclass
            LEFT JOIN pg_catalog.pg_extension x ON x.oid = de.refobjid AND x.extname = 'vector'
            WHERE ao.amopfamily = oc.opcfamily AND ao.amoppurpose = 'o'
              AND (x.oid IS NOT NULL OR ao.amoplefttype = 'bit'::regtype)) AS orders_vectors,
        -- vestige_sql.index_definitions() has no definition of such a one. HNSW and IVFFlat have a note in place of a refusal.
        am.amname NOT IN ('hnsw', 'ivfflat') AND (
            EXISTS (SELECT FROM pg_catalog.pg_attribute ka WHERE ka.attrelid = i.indexrelid AND ka.attoptions IS NOT NULL)
            OR h.proname IN ('hnswhandler', 'ivfflathandler') AND ot.typname IN ('vector', 'halfvec')
                AND (i.indkey[0] = e.attnum
                     OR i.indkey[0] = 0 AND k.atttypmod = e.old_dimension AND i.indexprs::text ~ (':varattno ' || e.attnum || '\M'))
                AND (
                :dimension > 4000
                OR :dimension > 2000 AND ot.typname = 'vector' AND NOT EXISTS (
                    SELECT FROM pg_catalog.pg_opclass o
                    JOIN pg_catalog.pg_type oi ON oi.oid = o.opcintype AND oi.typname = 'halfvec'
                    WHERE o.opcmethod = am.oid AND o.opcnamespace = oc.opcnamespace
                      AND o.opcname = regexp_replace(oc.opcname, '^vector_', 'halfvec_')))) AS cannot_be_made,
        pg_describe_object(d.classid, d.objid, d.objsubid) AS name,
        -- the dimension of an index on a part of the vector, or on all of it
        CASE WHEN i.indkey[0] = 0
                AND i.indexprs::text ~ (':varattno ' || e.attnum || '\M')
            THEN k.atttypmod END AS key_dimension,
        -- a cast of all of it, such as ((embedding)::halfvec(16)), or of a function of all of it
        coalesce(i.indkey[0] = 0 AND regexp_replace(
            translate(pg_get_indexdef(i.indexrelid, 1, false), '()', '  '),
            CASE WHEN quote_ident(e.attname) = e.attname THEN '\m' || e.attname || '\M'
                ELSE regexp_replace(translate(quote_ident(e.attname), '()', '  '), '([\[\].*+?{}|^$\\])', '\\\1', 'g') END,
            'the_column', 'g') ~ '^\s*([\w."]+\s+)?the_column\s*(::\s*[\w."]+\s*\d*\s*)+$', false) AS is_of_the_whole,
        coalesce(e.attnum = ANY (i.indkey::smallint[]) AND am.amname = 'btree' AND e.bytes + 8 > 2704, false) AS too_large,
        -- A CHECK about the column alone comes along to a second column. vestige_sql.column_checks() says the same.
        coalesce(co.contype = 'c' AND co.conkey = ARRAY[e.attnum], false) AS is_own_check,
        -- What the object says of the column's vectors, perhaps their dimension. Where a CHECK about the column alone says
        -- vector_dims(..) = N, a second column's says its own.
        CASE d.classid
            WHEN 'pg_catalog.pg_constraint'::regclass THEN pg_get_constraintdef(d.objid)
            ELSE concat_ws(' ', pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid))
        END AS says
    FROM dependents d
    JOIN embedding e ON e.target = d.of
    LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid
    LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_catalog.pg_constraint co ON d.classid = 'pg_catalog.pg_constraint'::regclass AND co.oid = d.objid
    LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam AND c.relkind IN ('i', 'I')
    LEFT JOIN pg_catalog.pg_proc h ON h.oid = am.amhandler
    LEFT JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[0]
    LEFT JOIN pg_catalog.pg_type ot ON ot.oid = oc.opcintype
    LEFT JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indexrelid AND k.attnum = 1
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_rewrite r
        JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
        WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid)
),
several AS (
    SELECT
        d.*,
        -- A run gives every row a vector of one dimension. Where the column does not say which it has, several are too many.
        d.is_of_the_whole AND d.key_dimension <> :dimension AND CASE
            WHEN d.old_dimension IS NOT NULL THEN d.key_dimension <> d.old_dimension
            ELSE min(d.key_dimension) FILTER (WHERE d.is_of_the_whole) OVER ()
                <> max(d.key_dimension) FILTER (WHERE d.is_of_the_whole) OVER ()
        END AS is_of_another_dimension
    FROM described d
),
judged AS (
    SELECT
        d.*,
        coalesce(d.orders_vectors, false) AS is_vector_index,
        coalesce(d.orders_vectors AND d.cannot_be_made, false) AS is_not_made,
        coalesce(CASE
            -- Vector indexes are brought along. One on a part of the vector is not, where the new vectors are too short for it.
            WHEN d.orders_vectors THEN
                d.key_dimension <> d.old_dimension AND d.key_dimension > :dimension AND NOT d.is_of_the_whole
                OR d.is_of_another_dimension
            WHEN d.old_dimension IS NOT NULL THEN
                d.dimension_changes AND d.says ~ ('\m' || d.old_dimension || '\M')
            ELSE d.says ~ '\m(vector_dims|array_length|cardinality)\M' AND d.says !~ ('\m' || :dimension || '\M')
        END, false) AS wrong_dimension,
        d.is_own_check AND regexp_replace(d.says,
            format('(\mvector_dims\(\(*%s(?:\)*::[\w."]+)?\)+ = )%s\M', d.name_here, coalesce(d.old_dimension::text, '\d+')), '\1', 'g')
            !~ ('\m' || coalesce(d.old_dimension::text, 'vector_dims') || '\M') AS says_only_the_number
    FROM several d
),
kinds AS (
    SELECT j.*, k.what, k.kind
    FROM judged j
    CROSS JOIN LATERAL (
        SELECT * FROM (VALUES
            (0, j.is_not_made, 'index_not_made', 'an index that cannot be built for the new dimension, or whose parameters are not known'),
            (1, j.is_of_another_dimension, 'another_dimension', 'an index of another dimension than the other vectors'),
            (2, j.is_vector_index, 'index_too_long', 'an index longer than the new dimension'),
            (3, j.wrong_dimension, 'old_dimension', 'about the old dimension'),
            (4, j.too_large, 'index_too_large', 'an index whose rows would not fit in a page'),
            (5, j.relkind = 'S', 'sequence', 'a sequence that belongs to it'),
            (6, j.classid = 'pg_catalog.pg_rewrite'::regclass, 'rule', 'a rule'),
            (7, j.classid = 'pg_catalog.pg_policy'::regclass, 'policy', 'a row security policy'),
            (8, j.classid = 'pg_catalog.pg_trigger'::regclass, 'trigger', 'a trigger on this column'),
            (9, j.classid = 'pg_catalog.pg_proc'::regclass, 'function', 'a function with an SQL body'),
            (10, j.classid = 'pg_catalog.pg_attrdef'::regclass, 'generated_column', 'a generated column'),
            (11, j.classid = 'pg_catalog.pg_constraint'::regclass, 'constraint', 'a constraint'),
            (12, j.classid = 'pg_catalog.pg_statistic_ext'::regclass, 'statistics', 'extended statistics'),
            (13, j.classid = 'pg_catalog.pg_publication_rel'::regclass, 'publication', 'a publication'),
            (14, j.classid = 'pg_catalog.pg_class'::regclass, 'index', 'an index'),
            (15, true, 'another_object', 'another object')
        ) AS k (place, holds, what, kind)
        WHERE k.holds
        ORDER BY k.place
        LIMIT 1
    ) AS k
    WHERE j.is_not_made OR j.wrong_dimension OR NOT j.is_vector_index
),
ways_out (classid, objid, remove, restore, more, said_of) AS (
    SELECT k.classid, k.objid, format('DROP RULE %I ON %s;', r.rulename, r.ev_class::regclass), pg_get_ruledef(r.oid),
        CASE WHEN r.ev_enabled <> 'O' THEN format('ALTER TABLE %s %s RULE %I;', r.ev_class::regclass,
            CASE r.ev_enabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, r.rulename) END,
        format('RULE %I ON %s', r.rulename, r.ev_class::regclass)
    FROM kinds k
    JOIN pg_catalog.pg_rewrite r ON k.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = k.objid
    UNION ALL
    SELECT k.classid, k.objid, format('DROP POLICY %I ON %s;', p.polname, p.polrelid::regclass),
        format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s;', p.polname, p.polrelid::regclass,
            CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            (SELECT string_agg(CASE u.oid WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(u.oid)) END, ', ')
             FROM unnest(p.polroles) AS u (oid)),
            ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
            ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
        NULL, format('POLICY %I ON %s', p.polname, p.polrelid::regclass)
    FROM kinds k
    JOIN pg_catalog.pg_policy p ON k.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = k.objid
    UNION ALL
    SELECT k.classid, k.objid, format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass), pg_get_triggerdef(t.oid) || ';',
        CASE WHEN t.tgenabled <> 'O' THEN format('ALTER TABLE %s %s TRIGGER %I;', t.tgrelid::regclass,
            CASE t.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, t.tgname) END,
        format('TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
    FROM kinds k
    JOIN pg_catalog.pg_trigger t ON k.classid = 'pg_catalog.pg_trigger'::regclass AND t.oid = k.objid AND NOT t.tgisinternal
    UNION ALL
    SELECT k.classid, k.objid, format('ALTER TABLE %s DROP CONSTRAINT %I;', c.conrelid::regclass, c.conname),
        format('ALTER TABLE %s ADD CONSTRAINT %I %s;', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)),
        NULL, format('CONSTRAINT %I ON %s', c.conname, c.conrelid::regclass)
    FROM kinds k
    JOIN pg_catalog.pg_constraint c ON k.classid = 'pg_catalog.pg_constraint'::regclass AND c.oid = k.objid
    UNION ALL
    SELECT k.classid, k.objid, format('DROP STATISTICS %I.%I;', n.nspname, s.stxname), pg_get_statisticsobjdef(s.oid) || ';',
        CASE WHEN s.stxstattarget >= 0 THEN
            format('ALTER STATISTICS %I.%I SET STATISTICS %s;', n.nspname, s.stxname, s.stxstattarget) END,
        format('STATISTICS %I.%I', n.nspname, s.stxname)
    FROM kinds k
    JOIN pg_catalog.pg_statistic_ext s ON k.classid = 'pg_catalog.pg_statistic_ext'::regclass AND s.oid = k.objid
    JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
    UNION ALL
    SELECT k.classid, k.objid, format('DROP INDEX %s;', i.indexrelid::regclass), replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') || ';',
        NULL, format('INDEX %s', i.indexrelid::regclass)
    FROM kinds k
    JOIN pg_catalog.pg_index i ON k.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = k.objid
    UNION ALL
    -- A column that is generated from it goes with its indexes. It is made again for the new dimension.
    SELECT k.classid, k.objid, format('ALTER TABLE %s DROP COLUMN %I;', x.name, a.attname),
        regexp_replace(format('ALTER TABLE %s ADD COLUMN %I %s GENERATED ALWAYS AS (%s) %s%s;', x.name, a.attname,
            format_type(a.atttypid, a.atttypmod), pg_get_expr(g.adbin, g.adrelid),
            CASE a.attgenerated WHEN 'v' THEN 'VIRTUAL' ELSE 'STORED' END, CASE WHEN a.attnotnull THEN ' NOT NULL' END),
            x.old_types, x.new_types, 'g'),
        concat_ws(E'\n',
            (SELECT string_agg(regexp_replace(pg_get_indexdef(i.indexrelid) || ';', x.old_types, x.new_types, 'g'), E'\n' ORDER BY i.indexrelid)
             FROM pg_catalog.pg_index i
             WHERE i.indrelid = a.attrelid AND EXISTS (
                 SELECT FROM pg_catalog.pg_depend id
                 WHERE id.classid = 'pg_catalog.pg_class'::regclass AND id.objid = i.indexrelid
                   AND id.refclassid = 'pg_catalog.pg_class'::regclass AND id.refobjid = a.attrelid AND id.refobjsubid = a.attnum)),
            format('COMMENT ON COLUMN %s.%I IS ', x.name, a.attname) || quote_literal(col_description(a.attrelid, a.attnum)) || ';'
        ), NULL
    FROM kinds k
    JOIN pg_catalog.pg_attrdef g ON k.classid = 'pg_catalog.pg_attrdef'::regclass AND g.oid = k.objid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = g.adrelid AND a.attnum = g.adnum
    CROSS JOIN LATERAL (
        SELECT
            g.adrelid::regclass AS name, '\m(vector|halfvec|bit)\(' || coalesce(k.old_dimension::text, '-') || '\)' AS old_types,
            format('\1(%s)', :dimension) AS new_types
    ) AS x
    UNION ALL
    SELECT k.classid, k.objid, format('ALTER SEQUENCE %s OWNED BY NONE;', k.objid::regclass),
        format('ALTER SEQUENCE %s OWNED BY %s;', k.objid::regclass, k."column"), NULL, NULL
    FROM kinds k
    WHERE k.what = 'sequence'
),
identity AS (
    -- the columns by which a subscriber finds a row that is updated; NULL where there are none
    SELECT
        e.target, c.relreplident AS kind,
        CASE c.relreplident
            WHEN 'f' THEN (SELECT array_agg(a.attnum) FROM pg_catalog.pg_attribute a
                           WHERE a.attrelid = e.target AND a.attnum > 0 AND NOT a.attisdropped)
            ELSE (SELECT i.indkey::smallint[] FROM pg_catalog.pg_index i
                  WHERE i.indrelid = e.target AND i.indisvalid AND i.indimmediate
                    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END)
        END AS columns,
        CASE c.relreplident WHEN 'd' THEN 'DEFAULT' WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL' ELSE 'USING INDEX ' || quote_ident((
            SELECT x.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = e.target AND i.indisreplident)) END AS restore
    FROM embedding e
    JOIN pg_catalog.pg_class c ON c.oid = e.target
),
published AS (
    SELECT
        e.target, p.pubname,
        i.columns IS NULL
            -- a list of columns, or a filter of rows, which publications have since PostgreSQL 15
            OR NOT i.columns <@ (SELECT array_agg(l.attnum::smallint)
                FROM jsonb_array_elements_text(nullif(to_jsonb(r) -> 'prattrs', 'null')) AS l (attnum))
            OR i.kind <> 'f' AND EXISTS (
                SELECT FROM regexp_matches(to_jsonb(r) ->> 'prqual', ':varattno (\d+)', 'g') AS used (attnum)
                WHERE NOT used.attnum[1]::smallint = ANY (i.columns)) AS is_not_served
    FROM embedding e
    JOIN identity i ON i.target = e.target
    JOIN pg_catalog.pg_class c ON c.oid = e.target
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_publication_tables t ON t.schemaname = n.nspname AND t.tablename = c.relname
    JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname AND p.pubupdate
    LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = e.target
),
refusals (place, what, object, message, hint, remove, restore, rules_out) AS (
    SELECT
        0, 'asked', format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
        format('from %s dimensions to %s', coalesce((SELECT e.old_dimension::text FROM embedding e WHERE e.is_root), 'no'), :dimension), '',
        '{}'::text[], '{}'::text[], '{}'::text[]
    UNION ALL
    SELECT
        300, k.what, format('%s (%s)', k.name, k.kind),
        format('%s (%s) hangs on %s and cannot be kept', k.name, k.kind, k."column"),
        'drop it before the run and recreate it afterwards; nothing was written',
        array_remove(ARRAY[w.remove], NULL),
        CASE WHEN k.what IN ('index_not_made', 'old_dimension', 'another_dimension', 'index_too_long', 'index_too_large')
            THEN ARRAY[format('-- %s dimensions do not fit: %s', :dimension, regexp_replace(w.restore, '\s+', ' ', 'g'))]
            ELSE array_remove(ARRAY[w.restore, w.more, 'COMMENT ON ' || w.said_of || ' IS ' || quote_literal(o.said) || ';'], NULL) END,
        -- With a partitioned index the server makes those of the partitions anew, under names of its own and without their comments.
        CASE WHEN k.is_not_made OR k.wrong_dimension AND (k.says_only_the_number IS NOT TRUE OR k.is_partitioned)
                OR k.too_large OR k.relkind = 'I' OR k.classid NOT IN (
                'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_constraint'::regclass)
            THEN '{rewrite,widen}'::text[] ELSE '{}' END
            || CASE WHEN k.is_own_check AND (NOT k.wrong_dimension OR k.says_only_the_number) THEN '{swap}'::text[]
                ELSE '{swap,online,back}' END
    FROM kinds k
    LEFT JOIN ways_out w USING (classid, objid)
    LEFT JOIN LATERAL (
        SELECT obj_description(k.objid, c.relname) AS said FROM pg_catalog.pg_class c WHERE c.oid = k.classid
    ) AS o ON true
    UNION ALL
    SELECT
        300, 'row_type', format('%s (of the row type of this table)', x.name),
        format('%s (of the row type of this table) hangs on %s and cannot be kept', x.name, x."column"),
        'drop it before the run and recreate it afterwards; nothing was written',
        '{}', '{}', '{rewrite,widen,swap,online,back}'
    FROM (
        SELECT pg_describe_object('pg_catalog.pg_class'::regclass, a.attrelid, a.attnum) AS name, e."column"
        FROM row_types r
        JOIN pg_catalog.pg_attribute a ON a.atttypid = r.oid AND NOT a.attisdropped
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm', 'p')
        JOIN embedding e ON e.is_root
    ) AS x
    UNION ALL
    SELECT
        300, 'storage_plain', 'STORAGE PLAIN (in which no vector of the new dimension fits in a page)',
        format('STORAGE PLAIN (in which no vector of the new dimension fits in a page) hangs on %s and cannot be kept', e."column"),
        'drop it before the run and recreate it afterwards; nothing was written',
        ARRAY[format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE EXTENDED;', e.name, e.attname)],
        ARRAY[format('-- %s dimensions do not fit: ALTER TABLE %s ALTER COLUMN %I SET STORAGE PLAIN;', :dimension, e.name, e.attname)],
        '{rewrite,widen,swap,online,back}'
    FROM embedding e
    WHERE e.attstorage = 'p' AND e.bytes > 8100
    UNION ALL
    SELECT
        403, 'storage_plain_beside', e."column",
        format('%s is STORAGE PLAIN, and a row has no room for a vector of %s dimensions beside the old one', e."column", :dimension),
        format('take --apply rewrite, which adds no column, or ALTER TABLE %s ALTER COLUMN %I SET STORAGE EXTENDED; nothing was written',
            e.name, e.attname),
        ARRAY[format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE EXTENDED;', e.name, e.attname)],
        ARRAY[format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE PLAIN;', e.name, e.attname)],
        '{swap,online}'
    FROM embedding e
    WHERE e.attstorage = 'p' AND e.bytes <= 8100 AND e.bytes + e.old_bytes > 8100
    UNION ALL
    SELECT
        300, 'default', format('the default of %s, a vector of the old dimension', e."column"),
        format('the default of %s, a vector of the old dimension, cannot be kept', e."column"),
        'drop it before the run and recreate it afterwards; nothing was written',
        ARRAY[format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT;', e.name, e.attname)],
        ARRAY[format('-- %s dimensions do not fit: ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s;', :dimension, e.name, e.attname,
            regexp_replace(pg_get_expr(d.adbin, d.adrelid), '\s+', ' ', 'g'))],
        CASE WHEN regexp_replace(x.says, format('(ARRAY\[|\m(?:vector|halfvec)"?\()%s(?=[\])])', e.old_dimension), '\1', 'g')
                !~ format('\m%s\M', e.old_dimension)
                AND NOT e.is_partitioned
            -- vestige_sql.column_default() says the same
            THEN '{swap}'::text[] ELSE '{rewrite,widen,swap,online,back}' END
    FROM embedding e
    JOIN pg_catalog.pg_attribute a ON a.attrelid = e.target AND a.attnum = e.attnum AND a.attgenerated = ''
    JOIN pg_catalog.pg_attrdef d ON d.adrelid = e.target AND d.adnum = e.attnum
    CROSS JOIN LATERAL (SELECT pg_get_expr(d.adbin, d.adrelid)) AS x (says)
    WHERE e.dimension_changes
    UNION ALL
    SELECT
        310, 'update_rule', e.name,
        format('%s has a rule ON UPDATE, which would fire', e.name),
        'drop the rule before the run and recreate it afterwards; nothing was written',
        array_agg(format('DROP RULE %I ON %s;', r.rulename, e.name) ORDER BY r.rulename),
        array_agg(pg_get_ruledef(r.oid) ORDER BY r.rulename),
        '{widen,swap,fill,online,back}'
    FROM embedding e
    JOIN pg_catalog.pg_rewrite r ON r.ev_class = e.target AND r.ev_type = '2'
    WHERE e.is_root
    GROUP BY e.name
    UNION ALL
    SELECT
        311, 'published_without_identity', e.name,
        format('%s is published by %s, and its replica identity does not serve that, so nobody can update its rows', e.name,
            string_agg(p.pubname, ', ' ORDER BY p.pubname)),
        format('ALTER TABLE %s REPLICA IDENTITY USING INDEX .. gives it one, which has the columns of the publication''s filter '
            'and no column that is not published, or FULL; --apply rewrite needs none; nothing was written', e.name),
        ARRAY[format('ALTER TABLE %s REPLICA IDENTITY FULL;', e.name)],
        ARRAY[format('ALTER TABLE %s REPLICA IDENTITY %s;', e.name, i.restore)],
        '{widen,swap,fill,online}'
    FROM embedding e
    JOIN identity i ON i.target = e.target
    JOIN published p ON p.target = e.target AND p.is_not_served
    GROUP BY e.name, i.restore
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('column', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place, r.object) FROM refusals r)))::text, true)
)
SELECT r.* FROM refusals r CROSS JOIN remembered ORDER BY r.place, r.object;
