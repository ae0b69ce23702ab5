-- List what the table refuses, whatever the way, with the way out.
--
-- It refuses for what it is, whose it is, its columns and its key.
--
-- The first row only says which table was asked. remove holds statements that take the reason away. restore holds statements
-- that bring back what those took. The rows are remembered for this transaction, for 80_by_way.sql. The columns' names are
-- taken literally, and one that is too long is not cut: it names no column.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, verb, id_column, content_expression, content_column, target, id_columns, row_condition

WITH RECURSIVE target AS (
    SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :'schema' AND c.relname = :'table'
),
plain AS (
    SELECT t.*, pg_get_userbyid(t.relowner) AS owner,
        left(encode(sha256(convert_to(
            format('%I.%I.%I', t.nspname, t.relname, :'embedding_column'::text), 'UTF8')), 'hex'), 16) AS suffix
    FROM target t
    WHERE t.relkind IN ('r', 'p') AND t.nspname <> 'vestige_sql'
),
-- the partitions, at every level
parts AS (
    SELECT p.oid AS of, i.inhrelid AS oid, i.inhdetachpending AS is_detaching
    FROM plain p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid WHERE p.relkind = 'p'
    UNION ALL
    SELECT p.of, i.inhrelid, p.is_detaching OR i.inhdetachpending FROM parts p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
),
partitions AS (
    SELECT x.of, x.is_detaching, c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name, pg_get_userbyid(c.relowner) AS owner
    FROM parts x
    JOIN pg_catalog.pg_class c ON c.oid = x.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
),
every_column AS (
    SELECT
        a.attname::text AS name, a.attnum, a.attnotnull, a.attgenerated, a.attcollation, t.typname, n.nspname AS type_schema,
        format_type(a.atttypid, a.atttypmod) AS full_type, nullif(a.atttypmod, -1) AS typmod,
        EXISTS (
            SELECT FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_extension'::regclass
            WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = a.atttypid AND x.extname = 'vector'
        ) AS is_pgvectors,
        EXISTS (
            SELECT FROM pg_catalog.pg_collation co WHERE co.oid = a.attcollation AND NOT co.collisdeterministic
        ) AS compares_loosely,
        t.typcategory = 'S' AND t.typname NOT IN ('name', 'char') AS is_text
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    JOIN plain p ON p.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
),
columns AS (
    SELECT c.*,
        -- What a run has added to the table does not count, whatever the table was called then.
        c.typname IN ('vector', 'halfvec') AND c.is_pgvectors AND c.name !~ '^(former_)?embedding_[0-9a-f]{16}$' AS is_vector
    FROM every_column c
),
every_key AS (
    SELECT i.indexrelid, i.indisprimary, i.indimmediate, k.columns, k.names, k.quoted
    FROM plain p
    JOIN pg_catalog.pg_index i ON i.indrelid = p.oid
    CROSS JOIN LATERAL (
        SELECT array_agg(c.name ORDER BY o.place), string_agg(c.name, ', ' ORDER BY o.place),
            string_agg(quote_ident(c.name), ', ' ORDER BY o.place), count(c.name) = i.indnkeyatts
        FROM generate_series(0, i.indnkeyatts - 1) AS o (place)
        JOIN columns c ON c.attnum = i.indkey[o.place] AND c.attnotnull
        -- The index may tell two keys apart that are equal to a column that ignores case.
        WHERE i.indcollation[o.place] = c.attcollation OR NOT c.compares_loosely
    ) AS k (columns, names, quoted, is_whole)
    WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND k.is_whole
),
keys AS (
    SELECT k.* FROM every_key k WHERE k.indimmediate
),
late_key AS (
    -- keys that are checked only once the transaction ends, and that no other index checks at once
    SELECT l.* FROM every_key l
    WHERE NOT l.indimmediate AND NOT EXISTS (SELECT FROM keys k WHERE k.columns = l.columns)
),
grants AS (
    -- what a role that owns the table may still lack
    SELECT format('GRANT %s TO %I', g.lacking, current_user) AS lacking
    FROM (
        SELECT format('CREATE ON SCHEMA %I', p.nspname)
        FROM (SELECT p.nspname, p.relnamespace FROM plain p UNION SELECT p.nspname, p.relnamespace FROM partitions p) AS p
        WHERE :'verb' IN ('apply', 'keep', 'online', 'back') AND NOT has_schema_privilege(p.relnamespace, 'CREATE')
        UNION
        SELECT format('USAGE ON SCHEMA %I', e.type_schema)
        FROM columns e
        WHERE e.name = :'embedding_column' AND :'verb' <> 'look' AND NOT has_schema_privilege(e.type_schema, 'USAGE')
        UNION
        SELECT format('CREATE ON TABLESPACE %I', s.spcname)
        FROM (SELECT p.oid FROM plain p UNION SELECT p.oid FROM partitions p) AS p
        JOIN pg_catalog.pg_index i ON i.indrelid = p.oid
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_tablespace s ON s.oid = ic.reltablespace
        WHERE :'verb' IN ('apply', 'keep', 'online', 'back') AND NOT has_tablespace_privilege(s.oid, 'CREATE')
        UNION
        SELECT format('%s ON %I.%I', string_agg(x.name, ', ' ORDER BY x.place), p.nspname, r.relname)
        FROM plain p
        JOIN pg_catalog.pg_class r ON r.relnamespace = p.relnamespace AND r.relname = 'embedding_model'
        CROSS JOIN (VALUES
            (1, 'SELECT', true),
            (2, 'INSERT', :'verb' IN ('apply', 'keep', 'online', 'back', 'copy')),
            (3, 'UPDATE', :'verb' IN ('apply', 'keep', 'online', 'back', 'copy'))
        ) AS x (place, name, is_needed)
        WHERE p.relname = 'knowledge_nodes' AND :'embedding_column' = 'embedding'
          AND x.is_needed AND NOT has_table_privilege(r.oid, x.name)
        GROUP BY p.nspname, r.relname
        UNION
        -- The role that looks need not own the table, nor have staged.
        SELECT format('SELECT ON %I.%I', n.nspname, r.relname)
        FROM plain p
        JOIN pg_catalog.pg_class r ON r.oid = p.oid OR r.relname IN ('stage_' || p.suffix, 'changed_' || p.suffix, 'kept_' || p.suffix)
        JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
        WHERE (r.oid = p.oid OR n.nspname = 'vestige_sql') AND NOT has_table_privilege(r.oid, 'SELECT')
    ) AS g (lacking)
),
refusals (place, what, object, message, hint, remove, restore) AS (
    SELECT
        0, 'asked', format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text),
        format('key %s, text %s, vectors %s', :'id_column'::text, coalesce(nullif(:'content_expression'::text, ''), :'content_column'), :'embedding_column'::text), '',
        '{}'::text[], '{}'::text[]
    UNION ALL
    SELECT
        20, 'no_table', :'target',
        format('there is no table %s in this database, or not along the search_path', :'target'::text),
        'name it with --table schema.table, with double quotes where it has capitals; nothing was written',
        '{}', '{}'
    WHERE NOT EXISTS (SELECT FROM target)
    UNION ALL
    SELECT
        21, 'package_table', t.name,
        format('%s is in the package''s own schema, where no table of yours belongs', t.name),
        'name a table of yours; nothing was written',
        '{}', '{}'
    FROM target t
    WHERE t.nspname = 'vestige_sql'
    UNION ALL
    SELECT
        22, 'not_a_table', t.name,
        format('%s is %s, and only tables can be re-embedded', t.name, CASE t.relkind
            WHEN 'f' THEN 'a foreign table'
            WHEN 'v' THEN 'a view'
            WHEN 'm' THEN 'a materialized view'
            WHEN 'i' THEN 'an index'
            WHEN 'I' THEN 'an index'
            WHEN 'S' THEN 'a sequence'
            WHEN 'c' THEN 'a composite type'
            ELSE 'not a table' END),
        'name a table with --table; nothing was written',
        '{}', '{}'
    FROM target t
    WHERE t.nspname <> 'vestige_sql' AND t.relkind NOT IN ('r', 'p')
    UNION ALL
    SELECT
        23, 'temporary', p.name,
        format('%s is a temporary table, which no other session can see', p.name),
        'a run needs several sessions; make it a plain table; nothing was written',
        '{}', '{}'
    FROM plain p
    WHERE p.relpersistence = 't'
    UNION ALL
    SELECT
        24, 'typed', p.name,
        format('%s is a typed table, whose columns cannot be altered', p.name),
        'ALTER TABLE .. NOT OF makes it a plain table; nothing was written',
        ARRAY[format('ALTER TABLE %s NOT OF;', p.name)],
        ARRAY[format('-- once its type has the column as it is then: ALTER TABLE %s OF %s;', p.name, format_type(p.reloftype, NULL))]
    FROM plain p
    WHERE p.reloftype <> 0
    UNION ALL
    SELECT
        25, 'inherits', p.name,
        format('%s is part of an inheritance tree, which is not supported', p.name),
        'make it a table of its own during the run (NO INHERIT); nothing was written',
        '{}', '{}'
    FROM plain p
    WHERE NOT p.relispartition
      AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE p.oid = i.inhrelid OR p.oid = i.inhparent AND p.relkind = 'r')
    UNION ALL
    SELECT
        25, 'partition', p.name,
        format('%s is a partition of %s, and a column has one dimension in all partitions', p.name, r.name),
        format('re-embed the whole table: --table %s; nothing was written', r.argument),
        '{}', '{}'
    FROM plain p
    CROSS JOIN LATERAL (
        SELECT r.name, CASE WHEN r.name ~ '^[a-z0-9_.]+$' THEN r.name ELSE '''' || replace(r.name, '''', '''\''''') || '''' END AS argument
        FROM (
            SELECT format('%I.%I', n.nspname, c.relname) AS name
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid = pg_partition_root(p.oid)
        ) AS r
    ) AS r
    WHERE p.relispartition
    UNION ALL
    SELECT
        25, 'partition_detaching', p.name,
        format('%s is being detached from %s, and that has not come to its end', string_agg(x.name, ', ' ORDER BY x.name), p.name),
        format('wait for DETACH PARTITION CONCURRENTLY; if it was interrupted: ALTER TABLE %s DETACH PARTITION %s FINALIZE; nothing was written',
            min(h.inhparent::regclass::text), min(x.name)),
        array_agg(format('ALTER TABLE %s DETACH PARTITION %s FINALIZE;', h.inhparent::regclass, x.name) ORDER BY x.name), '{}'
    FROM plain p
    JOIN partitions x ON x.of = p.oid
    JOIN pg_catalog.pg_inherits h ON h.inhrelid = x.oid AND h.inhdetachpending
    GROUP BY p.name
    UNION ALL
    SELECT
        25, 'foreign_partition', p.name,
        format('partitions of %s are foreign tables, whose columns and rows lie elsewhere: %s', p.name,
            string_agg(x.name, ', ' ORDER BY x.name)),
        'detach them during the run, and re-embed them where they lie; nothing was written',
        '{}', '{}'
    FROM plain p
    JOIN partitions x ON x.of = p.oid AND x.relkind NOT IN ('r', 'p')
    GROUP BY p.name
    UNION ALL
    SELECT
        26, 'no_key', p.name,
        CASE k.keys WHEN 0 THEN format('%s has no key: no columns that are unique and NOT NULL', p.name)
            ELSE format('%s has no primary key, but several other keys: %s', p.name, k.names) END,
        CASE k.keys WHEN 0 THEN 'make one, because rows cannot be told apart without it; nothing was written'
            ELSE 'name one with --id-column, --content-column or --embedding-column; nothing was written' END,
        '{}', '{}'
    FROM plain p
    CROSS JOIN (SELECT count(*) AS keys, string_agg(DISTINCT format('(%s)', k.names), ', ') AS names FROM keys k) AS k
    WHERE :'id_column' = '' AND (k.keys > 0 OR NOT EXISTS (SELECT FROM late_key))
    UNION ALL
    SELECT
        26, CASE WHEN c.names IS NULL THEN 'no_column' ELSE 'several_columns' END, p.name,
        CASE WHEN c.names IS NULL THEN format('%s has no column of text', p.name)
            ELSE format('%s has no column content, and several of text: %s', p.name, c.names) END,
        CASE WHEN c.names IS NULL THEN format('name one with --content-column; it has %s; nothing was written', c.every)
            ELSE 'name one with --id-column, --content-column or --embedding-column; nothing was written' END,
        '{}', '{}'
    FROM plain p
    CROSS JOIN (
        SELECT string_agg(c.name, ', ' ORDER BY c.attnum) FILTER (WHERE c.is_text) AS names,
            string_agg(c.name, ', ' ORDER BY c.attnum) AS every
        FROM columns c
    ) AS c
    WHERE :'content_column' = '' AND :'content_expression' = ''
    UNION ALL
    SELECT
        26, CASE WHEN c.names IS NULL THEN 'no_column' ELSE 'several_columns' END, p.name,
        CASE WHEN c.names IS NULL THEN format('%s has no column of vectors', p.name)
            ELSE format('%s has several columns of vectors: %s', p.name, c.names) END,
        CASE WHEN c.names IS NULL THEN format('add one of pgvector''s types to it; it has %s; nothing was written', c.every)
            ELSE 'name one with --id-column, --content-column or --embedding-column; nothing was written' END,
        '{}', '{}'
    FROM plain p
    CROSS JOIN (
        SELECT string_agg(c.name, ', ' ORDER BY c.attnum) FILTER (WHERE c.is_vector) AS names,
            string_agg(c.name, ', ' ORDER BY c.attnum) AS every
        FROM columns c
    ) AS c
    WHERE :'embedding_column' = ''
    UNION ALL
    SELECT
        26, 'no_column', p.name,
        format('%s has no column %s', p.name, w.name),
        format('name the columns with --id-column, --content-column and --embedding-column; it has %s%s; nothing was written',
            coalesce((SELECT string_agg(c.name, ', ' ORDER BY c.attnum) FROM columns c), 'none'),
            CASE WHEN w.name = :'content_column'
                THEN '; where the text is in another table, docs/tables.md says what to do' ELSE '' END),
        '{}', '{}'
    FROM plain p
    CROSS JOIN LATERAL (
        SELECT w.name
        FROM (
            SELECT 1, u.name FROM unnest(:'id_columns'::text[]) AS u (name)
            UNION ALL
            SELECT v.place, v.name
            FROM (VALUES (2, :'content_column'::text), (3, :'embedding_column')) AS v (place, name)
            WHERE v.name <> ''
        ) AS w (place, name)
        WHERE NOT EXISTS (SELECT FROM columns c WHERE c.name = w.name)
        ORDER BY w.place
        LIMIT 1
    ) AS w
    UNION ALL
    SELECT
        27, 'bytes', format('%s.%s', p.name, c.name),
        format('%s.%s is of type bytea, which is no text', p.name, c.name),
        'name the column with the text with --content-column; nothing was written',
        '{}', '{}'
    FROM plain p
    JOIN columns c ON c.name = :'content_column' AND c.full_type = 'bytea'
    UNION ALL
    -- What 13_try_expressions.sql has not read in this transaction cannot be used either.
    SELECT
        27, 'expression', p.name,
        CASE WHEN x.reason IS NULL THEN format('%s ''%s'' was not looked at', e.option, e.given)
            ELSE format('%s ''%s'' cannot be used: %s', e.option, e.given, x.reason) END,
        coalesce(x.hint, 'run sql/probe/refusals/13_try_expressions.sql before this, in the same transaction (psql -1); nothing was written'),
        '{}', '{}'
    FROM plain p
    CROSS JOIN (VALUES
        ('content', '--content-expression', :'content_expression'::text),
        ('rows', '--where', :'row_condition')) AS e (of, option, given)
    LEFT JOIN jsonb_to_recordset(coalesce(nullif(current_setting('vestige_sql.expressions', true), ''), '[]')::jsonb) AS x (
        of text, target oid, given text, reason text, hint text, of_t text, expression text)
        ON x.of = e.of AND e.given IN (x.given, x.expression) AND x.target = p.oid
    WHERE e.given <> '' AND x.of_t IS NULL
    UNION ALL
    SELECT
        27, 'expression_of_worker', p.name,
        format('the text of %s is an expression, and the worker reads a column', p.name),
        'run vestige-sql migrate reembed with the registered model from a timer, which embeds rows that lack a vector; nothing was written',
        '{}', '{}'
    FROM plain p
    WHERE :'content_expression' <> '' AND :'verb' LIKE 'worker%'
    UNION ALL
    SELECT
        28, 'not_a_vector', format('%s.%s', p.name, c.name),
        format('%s.%s is of type %s, not a vector column', p.name, c.name, CASE
            WHEN c.is_pgvectors AND c.typname !~ '^_' THEN c.typname || coalesce('(' || c.typmod || ')', '')
            ELSE c.full_type END),
        'name the pgvector column with --embedding-column; nothing was written',
        '{}', '{}'
    FROM plain p
    JOIN columns c ON c.name = :'embedding_column' AND NOT (c.typname IN ('vector', 'halfvec') AND c.is_pgvectors)
    UNION ALL
    SELECT
        29, 'one_column_twice', format('%s.%s', p.name, c.name),
        format('%s.%s cannot be both the embedding column and the key or the text', p.name, c.name),
        'name three columns with --id-column, --content-column and --embedding-column; nothing was written',
        '{}', '{}'
    FROM plain p
    JOIN columns c ON c.name = :'embedding_column' AND c.name = ANY (:'id_columns'::text[] || :'content_column'::text)
    UNION ALL
    SELECT
        30, CASE WHEN w.key IS NULL THEN 'no_key' ELSE 'composite_key' END, format('%s.%s', p.name, w.name),
        CASE WHEN w.key IS NULL THEN format('%s.%s is no key: it is not unique and NOT NULL', p.name, w.name)
            ELSE format('%s.%s is only a part of the composite key (%s)', p.name, w.name, w.key) END,
        CASE WHEN w.key IS NULL THEN 'name a key with --id-column, or make one; nothing was written'
            ELSE 'leave out --id-column, or name all columns of the key with it; nothing was written' END,
        '{}', '{}'
    FROM plain p
    CROSS JOIN (
        SELECT
            CASE cardinality(:'id_columns'::text[]) WHEN 1 THEN :'id_column' ELSE format('(%s)', :'id_column'::text) END AS name,
            min(k.names) FILTER (WHERE k.indisprimary AND k.columns @> :'id_columns'::text[]) AS key
        FROM keys k
    ) AS w
    WHERE cardinality(:'id_columns'::text[]) > 0
      AND :'id_columns'::text[] <@ ARRAY(SELECT c.name FROM columns c)
      AND NOT EXISTS (SELECT FROM keys k WHERE k.columns = :'id_columns'::text[])
      AND NOT EXISTS (SELECT FROM late_key l WHERE l.columns = :'id_columns'::text[])
    UNION ALL
    SELECT
        30, 'deferrable_key', format('%s.%s', p.name, k.names),
        format('%s.%s is a DEFERRABLE key: until a transaction commits, two rows may have the same', p.name, k.names),
        format('make a unique index beside it, which checks at once, and may be dropped after the run: '
            'CREATE UNIQUE INDEX CONCURRENTLY ON %s (%s); nothing was written', p.name, k.quoted),
        ARRAY[format('CREATE UNIQUE INDEX ON %s (%s);', p.name, k.quoted)], '{}'
    FROM plain p
    CROSS JOIN LATERAL (
        SELECT l.* FROM late_key l
        WHERE l.columns = :'id_columns'::text[] OR :'id_column' = '' AND NOT EXISTS (SELECT FROM keys)
        ORDER BY l.indisprimary DESC, l.indexrelid
        LIMIT 1
    ) AS k
    UNION ALL
    SELECT
        30, 'not_validated_key', format('%s.%s', p.name, k.name),
        format('%s.%s is NOT NULL by a constraint that is NOT VALID, %s: rows from before may lack a key', p.name, k.name, n.conname),
        format('give each row a key, then: ALTER TABLE %s VALIDATE CONSTRAINT %I; nothing was written', p.name, n.conname),
        ARRAY[format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', p.name, n.conname)], '{}'
    FROM plain p
    JOIN columns k ON k.name = ANY (:'id_columns'::text[])
    -- PostgreSQL keeps NOT NULL as a constraint since 18.
    JOIN pg_catalog.pg_constraint n ON n.conrelid = p.oid AND n.contype = 'n' AND n.conkey = ARRAY[k.attnum] AND NOT n.convalidated
    UNION ALL
    SELECT
        31, 'generated', format('%s.%s', p.name, c.name),
        format('%s.%s is a generated column, which cannot be written', p.name, c.name),
        'name another column, or make it a plain one with ALTER TABLE .. ALTER COLUMN .. DROP EXPRESSION; nothing was written',
        ARRAY[format('ALTER TABLE %s ALTER COLUMN %I DROP EXPRESSION;', p.name, c.name)], '{}'
    FROM plain p
    JOIN columns c ON c.name = :'embedding_column' AND c.attgenerated <> ''
    UNION ALL
    SELECT
        33, 'not_owner', p.name,
        format('role %s does not own %s, its owner is %s', current_user, p.name, p.owner),
        format('run as %s, or GRANT %s TO %s; nothing was written', p.owner, p.owner, current_user),
        ARRAY[format('GRANT %I TO %I;', p.owner, current_user)], ARRAY[format('REVOKE %I FROM %I;', p.owner, current_user)]
    FROM plain p
    WHERE :'verb' NOT IN ('look', 'gate', 'judge') AND NOT pg_has_role(p.relowner, 'USAGE')
    UNION ALL
    SELECT
        33, 'not_owner_of_partitions', p.name,
        format('role %s does not own all partitions of %s: %s', current_user, p.name,
            string_agg(format('%s (owner %s)', x.name, x.owner), ', ' ORDER BY x.name)),
        format('give them to the owner of the table, such as ALTER TABLE %s OWNER TO %s, or run as a member of each owner; nothing was written',
            min(x.name), quote_ident(p.owner)),
        array_agg(DISTINCT format('GRANT %I TO %I;', x.owner, current_user)), array_agg(DISTINCT format('REVOKE %I FROM %I;', x.owner, current_user))
    FROM plain p
    JOIN partitions x ON x.of = p.oid AND NOT pg_has_role(x.relowner, 'USAGE')
    WHERE :'verb' NOT IN ('look', 'gate', 'judge') AND pg_has_role(p.relowner, 'USAGE')
    GROUP BY p.name, p.owner
    UNION ALL
    SELECT
        34, 'row_security', p.name,
        format('%s forces row level security on its owner, so rows may be hidden from this run', p.name),
        format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY during the run, or run as a role with BYPASSRLS; '
            'nothing was written', p.name),
        ARRAY[format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', p.name)],
        ARRAY[format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', p.name)]
    FROM plain p
    WHERE row_security_active(p.oid) AND pg_has_role(p.relowner, 'USAGE')
    UNION ALL
    -- The runner reads one partition after another.
    SELECT
        34, 'row_security_of_partitions', x.name,
        format('%s, a partition of %s, forces row level security on its owner, so rows may be hidden from this run', x.name, p.name),
        format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY during the run, or run as a role with BYPASSRLS; '
            'nothing was written', x.name),
        ARRAY[format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', x.name)],
        ARRAY[format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', x.name)]
    FROM plain p
    JOIN partitions x ON x.of = p.oid
    WHERE :'verb' NOT IN ('look', 'gate', 'judge') AND row_security_active(x.oid)
    UNION ALL
    SELECT
        34, 'row_security_of_others', p.name,
        format('%s has row level security, which may hide rows from role %s', p.name, current_user),
        format('run as its owner, %s, or as a role with BYPASSRLS; nothing was written', p.owner),
        ARRAY[format('ALTER ROLE %I BYPASSRLS;', current_user)], ARRAY[format('ALTER ROLE %I NOBYPASSRLS;', current_user)]
    FROM plain p
    WHERE row_security_active(p.oid) AND NOT pg_has_role(p.relowner, 'USAGE')
    UNION ALL
    SELECT
        35, 'rights', p.name,
        format('role %s lacks rights that a run on %s needs', current_user, p.name),
        string_agg(g.lacking, '; ' ORDER BY g.lacking) || '; nothing was written',
        array_agg(g.lacking || ';' ORDER BY g.lacking),
        array_agg(regexp_replace(g.lacking, '^GRANT (.*) TO ', 'REVOKE \1 FROM ') || ';' ORDER BY g.lacking)
    FROM plain p
    CROSS JOIN grants g
    GROUP BY p.name
),
ruling AS (
    SELECT r.*, CASE r.what WHEN 'asked' THEN '{}' ELSE '{rewrite,widen,swap,fill,online,back}' END::text[] AS rules_out
    FROM refusals r
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('table', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place) FROM ruling r)))::text, true)
)
SELECT r.* FROM ruling r CROSS JOIN remembered ORDER BY r.place;
