-- Remember what says the old dimension and can say the new one: the default, and CHECK constraints about the column alone.
--
-- The statements that set these aside and put them back are remembered for this transaction.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it remembers the same
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    embedding_column, schema, table, dimension

WITH target AS (
    SELECT
        x.oid, x.oid::regclass AS name, format('ALTER TABLE %s ALTER COLUMN %I ', x.oid::regclass, :'embedding_column'::text) AS alter_column,
        format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS "column"
    FROM (SELECT format('%I.%I', :'schema'::text, :'table'::text)::regclass AS oid) AS x
),
found AS (
    SELECT 1 AS place, t.alter_column || 'DROP DEFAULT' AS away, t.alter_column || 'SET DEFAULT ' || d.definition AS back
    FROM target t
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname = :'embedding_column' AND a.atttypmod NOT IN (-1, :dimension)
    CROSS JOIN LATERAL vestige_sql.column_default(t.oid, a.attname, :dimension) AS d
    UNION ALL
    SELECT 2, format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', t.name, k.check_name),
        -- so that it can be run again
        format('ALTER TABLE %1$s DROP CONSTRAINT IF EXISTS %2$I, ADD CONSTRAINT %2$I %3$s%4$s', t.name, k.check_name, k.definition,
            CASE WHEN k.is_valid THEN '' ELSE ' NOT VALID' END)
    FROM target t
    CROSS JOIN LATERAL vestige_sql.column_checks(t.oid, :'embedding_column', :'embedding_column', :dimension) AS k
    WHERE k.changes
    UNION ALL
    SELECT 3, NULL, format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.check_name, t.name, k.said)
    FROM target t
    CROSS JOIN LATERAL vestige_sql.column_checks(t.oid, :'embedding_column', :'embedding_column', :dimension) AS k
    WHERE k.changes AND k.said IS NOT NULL
)
SELECT pg_catalog.set_config('vestige_sql.set_aside', pg_catalog.jsonb_build_object(
    'of', t."column",
    'away', (SELECT coalesce(pg_catalog.jsonb_agg(f.away ORDER BY f.place, f.away), '[]') FROM found f WHERE f.away IS NOT NULL),
    'back', (SELECT coalesce(pg_catalog.jsonb_agg(f.back ORDER BY f.place, f.back), '[]') FROM found f))::text, true) AS set_aside
FROM target t;
