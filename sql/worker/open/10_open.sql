-- Make or renew the worker's row: which column it keeps up to date, under which names, and with which model.
--
-- The model must be the registered one. Another model than before, or another key, begins a new epoch. In it no vector is known to be
-- of its row's text until a whole pass has taken note of them all. The step returns the worker's number and epoch.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it writes the same
-- Undo:         DELETE FROM vestige_sql.worker
-- Variables:    model_name, dimension, model_hash, embedding_column, schema, table, content_column, id_columns, worker

WITH target AS MATERIALIZED (
    SELECT c.oid, a.attnum, vestige_sql.this_home() AS home, vestige_sql.require(
        EXISTS (
            SELECT FROM vestige_sql.registered_model(c.oid::regclass, a.attname) m
            WHERE (m.model_name, m.dimension, m.model_hash) = (:'model_name', :dimension, :'model_hash')),
        format('the registered model of %I.%I.%I is not %s (%s dimensions, hash %s)', n.nspname, c.relname, a.attname,
            :'model_name'::text, :dimension, left(:'model_hash'::text, 12)),
        'nothing was written; start the worker with the registered model')
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    WHERE n.nspname = :'schema' AND c.relname = :'table'
),
given AS MATERIALIZED (
    SELECT t.oid, t.attnum, t.home, :'schema'::text AS table_schema, :'table'::text AS table_name, :'embedding_column'::text AS column_name,
        :'content_column'::text AS content_column, :'id_columns'::text[] AS key_columns,
        :'model_name'::text AS model_name, :dimension AS dimension, :'model_hash'::text AS model_hash
    FROM target t
),
known AS (
    UPDATE vestige_sql.worker w
    SET home = g.home, column_number = g.attnum, table_schema = g.table_schema, table_name = g.table_name, column_name = g.column_name,
        content_column = g.content_column, key_columns = g.key_columns,
        model_name = g.model_name, dimension = g.dimension, model_hash = g.model_hash,
        epoch = w.epoch + ((w.model_name, w.dimension, w.model_hash, w.key_columns)
            IS DISTINCT FROM (g.model_name, g.dimension, g.model_hash, g.key_columns))::integer
    FROM given g
    WHERE w.id = :worker
    RETURNING w.id, w.epoch
),
made AS (
    INSERT INTO vestige_sql.worker AS w (
        home, table_oid, column_number, table_schema, table_name, column_name, content_column, key_columns, model_name, dimension, model_hash)
    SELECT g.home, g.oid, g.attnum, g.table_schema, g.table_name, g.column_name, g.content_column, g.key_columns,
        g.model_name, g.dimension, g.model_hash
    FROM given g
    WHERE NOT EXISTS (SELECT FROM vestige_sql.worker w WHERE w.id = :worker)
    -- another process has just made it
    ON CONFLICT (table_oid, column_number, home) DO UPDATE SET table_name = excluded.table_name
    RETURNING w.id, w.epoch
)
SELECT k.id AS worker, k.epoch FROM known k
UNION ALL
SELECT m.id, m.epoch FROM made m;
