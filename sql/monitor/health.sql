-- Show every column that has a registered model or had a run: its model, type and indexes, and what asks for attention.
--
-- A column is in order if it has the registered model's dimension, valid vector indexes and no run that stands still. kept is
-- the model whose former vectors are kept. They take room until they are finalized. Whether every row has its vector is not
-- asked here, because that reads the whole table: probe/rows.sql asks it.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

WITH known AS (
    SELECT m.table_schema, m.table_name, m.column_name FROM vestige_sql.model m
    UNION
    -- a table that is called otherwise by now
    SELECT n.nspname, c.relname, a.attname
    FROM vestige_sql.model m
    JOIN vestige_sql.home h ON h.id = m.home AND h.place = h.tableoid AND h.written_by = h.xmin
    JOIN pg_catalog.pg_class c ON c.oid = m.table_oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = m.column_number AND NOT a.attisdropped
    UNION
    SELECT r.table_schema, r.table_name, r.column_name FROM vestige_sql.run r
    UNION
    SELECT n.nspname, 'knowledge_nodes', 'embedding'
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'embedding_model' AND c.relkind = 'r'
),
targets AS (
    SELECT
        k.table_schema, k.table_name, k.column_name, c.oid, a.atttypmod,
        pg_catalog.format('%I.%I.%I', k.table_schema, k.table_name, k.column_name) AS name,
        t.typname || coalesce('(' || nullif(a.atttypmod, -1) || ')', '') AS type,
        CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_type h WHERE h.typname = 'halfvec' AND h.typnamespace = t.typnamespace)
            THEN 4000 ELSE 2000 END AS longest_indexed
    FROM known k
    JOIN pg_catalog.pg_namespace n ON n.nspname = k.table_schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = k.table_name AND c.relkind IN ('r', 'p')
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = k.column_name AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typname IN ('vector', 'halfvec')
)
SELECT
    t.name AS target,
    m.model_name AS model,
    t.type,
    i.indexes,
    r.run,
    k.kept,
    coalesce(nullif(pg_catalog.concat_ws('; ',
        CASE WHEN m.model_name IS NULL THEN 'no model is registered' END,
        CASE WHEN NOT m.is_known THEN 'nobody knows of which model its vectors are' END,
        CASE WHEN m.dimension <> t.atttypmod THEN 'the registered model has ' || m.dimension || ' dimensions' END,
        i.invalid,
        -- In an online run the index that is to be built is the second column's, and the live one stands.
        CASE WHEN r.state IS DISTINCT FROM 'filling' THEN s.to_build END,
        CASE WHEN i.indexes IS NULL AND s.to_build IS NULL AND t.atttypmod BETWEEN 1 AND t.longest_indexed
            THEN 'there is no vector index, searches scan the table' END,
        CASE WHEN r.stands_still THEN r.run || ', and nobody is at work on it' END
    ), ''), 'nothing') AS attention
FROM targets t
LEFT JOIN LATERAL vestige_sql.registry_says(t.oid::regclass, t.column_name::name) m ON true
LEFT JOIN LATERAL (
    SELECT
        pg_catalog.string_agg(pg_catalog.format('%s (%s)', d.index_name,
            pg_catalog.pg_size_pretty(x.bytes)), ', ' ORDER BY d.index_name) AS indexes,
        pg_catalog.string_agg(pg_catalog.format('index %s is INVALID', d.index_name), '; ' ORDER BY d.index_name)
            FILTER (WHERE NOT x.is_valid) AS invalid
    FROM vestige_sql.all_indexes(t.oid::regclass, t.column_name::name, NULL) d
    CROSS JOIN LATERAL (
        -- a partitioned index is as valid as its parts
        SELECT pg_catalog.sum(pg_catalog.pg_relation_size(p.relation))::bigint AS bytes,
            coalesce(bool_and(i.indisvalid AND i.indisready) FILTER (WHERE p.is_leaf), true) AS is_valid
        FROM vestige_sql.with_partitions(d.index_oid::regclass) p
        JOIN pg_catalog.pg_index i ON i.indexrelid = p.relation
    ) x
    WHERE d.attached_to IS NULL
) i ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.string_agg(pg_catalog.format('index %s is still to be built', s.index_name), '; ' ORDER BY s.index_name)
        AS to_build
    FROM vestige_sql.saved_index s
    WHERE s.table_schema = t.table_schema AND s.table_name = t.table_name AND s.column_name = t.column_name
      -- The indexes of an online run are left out: it builds them beside the former ones.
      AND s.built_as = s.index_name
) s ON true
LEFT JOIN LATERAL (
    SELECT
        r.state,
        pg_catalog.format('run %s to %s is open (%s)', r.id, r.to_name, r.state) AS run,
        -- This is the lock that session/claim_run.sql takes.
        NOT EXISTS (
            SELECT FROM pg_catalog.pg_locks l
            WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
              AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
              AND l.classid::bigint = (pg_catalog.hashtext('vestige_sql')::bigint & 4294967295)
              AND l.objid::bigint = (pg_catalog.hashtext(t.name)::bigint & 4294967295)
        ) AS stands_still
    FROM vestige_sql.run r
    WHERE r.table_schema = t.table_schema AND r.table_name = t.table_name AND r.column_name = t.column_name
      AND r.state IN ('staging', 'filling', 'applied')
) r ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.format('%s, since %s', coalesce(k.model_name, 'no registered model'), k.kept_at::date) AS kept
    FROM vestige_sql.kept k
    WHERE k.table_schema = t.table_schema AND k.table_name = t.table_name AND k.column_name = t.column_name
) k ON true
ORDER BY t.name;
