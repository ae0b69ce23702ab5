-- Show how statements say the key of a row, whether it is one column or several.
--
-- The package's tables have the key of a row in one column, id. For a key of one column it has that column's type. For several
-- columns it has a type of the package's own with a field a column: f1, f2 and so on, in the order of the key's index. The
-- values are SQL, made from the catalog. In them t is a row of the target, and k a row with an id:
--
--   key               the key of t as a value of id
--   key_columns       the columns of t, in their order; key_backwards is the other direction
--   key_is_k          whether t has the key k.id; index scans of the target serve it, and the next ones too
--   key_is_after_k    whether the key of t comes after k.id; key_is_before_k and key_is_up_to_u likewise
--   key_here          the key where the table has no alias; key_record is the key before its type is made
--   key_of_new        the key of a trigger's row; key_stays says whether an UPDATE leaves it alone
--   key_name          the key's columns, for people
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    id_columns, schema, table, embedding_column

WITH parts AS (
    SELECT
        u.place, u.name, quote_ident(u.name) AS quoted, count(*) OVER () AS parts,
        coalesce(format_type(a.atttypid, a.atttypmod), 'text') AS sql_type, t.typname,
        coalesce(a.attnotnull, false) AS is_not_null, a.attrelid, a.attnum,
        -- A column of another collation than its type's is compared by its own.
        CASE WHEN a.attcollation <> t.typcollation THEN (
            SELECT format(' COLLATE %I.%I', n.nspname, c.collname)
            FROM pg_catalog.pg_collation c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
            WHERE c.oid = a.attcollation) ELSE '' END AS collation,
        NOT EXISTS (
            SELECT FROM pg_catalog.pg_collation c WHERE c.oid = a.attcollation AND NOT c.collisdeterministic) AS is_exact,
        a.attcollation
    FROM unnest(:'id_columns'::text[]) WITH ORDINALITY AS u (name, place)
    LEFT JOIN pg_catalog.pg_attribute a
        ON a.attname::text = u.name AND a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = (
            SELECT c.oid
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = :'schema' AND c.relname = :'table')
    LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
),
-- the unique index that tells the rows apart
key_index AS (
    SELECT i.*
    FROM pg_catalog.pg_index i
    WHERE i.indrelid = (SELECT p.attrelid FROM parts p LIMIT 1)
      AND i.indisunique AND i.indnkeyatts = (SELECT count(*) FROM parts)
      AND NOT EXISTS (SELECT FROM parts p WHERE i.indkey[p.place::integer - 1] IS DISTINCT FROM p.attnum)
    ORDER BY i.indisvalid AND i.indimmediate AND i.indpred IS NULL DESC, i.indisprimary DESC, i.indexrelid
    LIMIT 1
),
named AS (
    SELECT
        p.*,
        -- The schema of the operators by which its index compares it. Those of citext and the like are not PostgreSQL's own.
        coalesce((
            SELECT n.nspname
            FROM key_index i
            JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[p.place::integer - 1]
            JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
                AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
            JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
            JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
        ), 'pg_catalog') AS operator_schema
    FROM parts p
),
columns AS (
    SELECT c.*, quote_ident(c.operator_schema) AS operators FROM named c
),
compared AS (
    SELECT o.name, CASE
        WHEN count(*) = 1 THEN string_agg(format('t.%s OPERATOR(%s.%s) %s.id', c.quoted, c.operators, o.last, o.alias), '')
        WHEN count(DISTINCT c.operators) = 1 THEN format(
            '(%s) OPERATOR(%s.%s) (%s)',
            string_agg('t.' || c.quoted, ', ' ORDER BY c.place), min(c.operators), o.last,
            string_agg(format('(%s.id).f%s', o.alias, c.place), ', ' ORDER BY c.place))
        -- A row is compared by operators of one schema only. The columns are compared one by one; an index finds the first.
        ELSE format('(%s)', string_agg(format(
            '%st.%s OPERATOR(%s.%s) (%s.id).f%s', e.before, c.quoted, c.operators,
            CASE c.place WHEN c.parts THEN o.last ELSE o.strict END, o.alias, c.place), ' OR ' ORDER BY c.place)) END AS condition
    FROM columns c
    CROSS JOIN (VALUES ('after', 'k', '>', '>'), ('before', 'k', '<', '<'), ('up_to', 'u', '<', '<=')) AS o (name, alias, strict, last)
    CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(format('t.%s OPERATOR(%s.=) (%s.id).f%s AND ', b.quoted, b.operators, o.alias, b.place), ''
            ORDER BY b.place), '') AS before
        FROM columns b
        WHERE b.place < c.place
    ) AS e
    GROUP BY o.name, o.alias, o.strict, o.last
),
rows AS (
    -- how a row of key columns is written: for a single column, it is the column
    SELECT r.name, CASE count(*) WHEN 1 THEN string_agg(r.alias || c.quoted, '')
        ELSE format('ROW(%s)', string_agg(r.alias || c.quoted, ', ' ORDER BY c.place)) END AS text
    FROM columns c
    CROSS JOIN (VALUES ('t', 't.'), ('here', ''), ('new', 'NEW.')) AS r (name, alias)
    GROUP BY r.name
)
SELECT
    x.id_sql_type, x.id_type, x.id_type_name, x.id_schema, x.id_not_null,
    EXISTS (
        SELECT FROM key_index i
        WHERE i.indisvalid AND i.indimmediate AND i.indpred IS NULL
          -- The index may tell two keys apart that are equal to a column that ignores case.
          AND NOT EXISTS (
              SELECT FROM parts p
              WHERE NOT p.is_exact AND i.indcollation[p.place::integer - 1] <> p.attcollation)) AS id_is_unique,
    x.key_type, x.key_fields, x.key_name, x.key_columns, x.key_backwards, x.key_is_k, x.key_stays,
    coalesce((SELECT r.text || x.cast FROM rows r WHERE r.name = 't'), '') AS key,
    coalesce((SELECT r.text FROM rows r WHERE r.name = 't'), '') AS key_record,
    coalesce((SELECT r.text || x.cast FROM rows r WHERE r.name = 'here'), '') AS key_here,
    coalesce((SELECT r.text || x.cast FROM rows r WHERE r.name = 'new'), '') AS key_of_new,
    coalesce((SELECT c.condition FROM compared c WHERE c.name = 'after'), '') AS key_is_after_k,
    coalesce((SELECT c.condition FROM compared c WHERE c.name = 'before'), '') AS key_is_before_k,
    coalesce((SELECT c.condition FROM compared c WHERE c.name = 'up_to'), '') AS key_is_up_to_u
FROM (
    SELECT
        CASE WHEN n.parts > 1 THEN n.type ELSE '' END AS key_type,
        CASE WHEN n.parts > 1 THEN format('::vestige_sql.%I', n.type) ELSE '' END AS cast,
        CASE WHEN n.parts > 1 THEN format('vestige_sql.%I', n.type) ELSE n.sql_types END AS id_sql_type,
        CASE WHEN n.parts > 1 THEN format('vestige_sql.%I', n.type) ELSE n.types END AS id_type,
        CASE WHEN n.parts > 1 THEN 'pg_catalog' ELSE n.schema END AS id_schema,
        CASE WHEN n.parts > 1 THEN n.fields ELSE '' END AS key_fields,
        CASE WHEN n.parts > 1 THEN format('(%s)', n.names) ELSE n.names END AS key_name,
        n.type_names AS id_type_name, n.is_not_null AS id_not_null,
        n.columns AS key_columns, n.backwards AS key_backwards, n.is_k AS key_is_k, n.stays AS key_stays
    FROM (
        SELECT
            count(*) AS parts,
            'key_' || left(encode(sha256(convert_to(
                format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text), 'UTF8')), 'hex'), 16) AS type,
            bool_and(c.is_not_null) AS is_not_null,
            coalesce(min(c.operator_schema), 'pg_catalog') AS schema,
            coalesce(string_agg(c.typname, ', ' ORDER BY c.place), '') AS type_names,
            coalesce(string_agg(c.sql_type, ', ' ORDER BY c.place), '') AS sql_types,
            coalesce(string_agg(c.sql_type || c.collation, ', ' ORDER BY c.place), '') AS types,
            coalesce(string_agg(format('f%s %s%s', c.place, c.sql_type, c.collation), ', ' ORDER BY c.place), '') AS fields,
            coalesce(string_agg(c.quoted, ', ' ORDER BY c.place), '') AS names,
            coalesce(string_agg('t.' || c.quoted, ', ' ORDER BY c.place), '') AS columns,
            coalesce(string_agg(format('t.%s DESC', c.quoted), ', ' ORDER BY c.place), '') AS backwards,
            coalesce(string_agg(format('t.%s OPERATOR(%s.=) %s', c.quoted, c.operators,
                CASE c.parts WHEN 1 THEN 'k.id' ELSE format('(k.id).f%s', c.place) END), ' AND ' ORDER BY c.place), '')
                AS is_k,
            coalesce(string_agg(format('OLD.%1$s OPERATOR(%2$s.=) NEW.%1$s', c.quoted, c.operators), ' AND ' ORDER BY c.place), '')
                AS stays
        FROM columns c
    ) AS n
) AS x
\gset
