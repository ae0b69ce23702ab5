-- Show what a worker has to know before each pass: what its table and columns are called now, which model is registered, and what waits.
--
-- is_noting says whether the trigger notes changes, with the function that the package makes. Where it was dropped, disabled or altered,
-- the worker has to look for changes itself. was_noting says that it has done so, unaltered, since the last look at the table began.
-- waiting counts to 100,000.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, worker, embedding_column, note_trigger, note_function, note_body, oid

SELECT
    format('%I.%I', n.nspname, c.relname) AS name,
    n.nspname AS schema, c.relname AS "table",
    (n.nspname, c.relname) = (:'schema', :'table') AND a.attnum IS NOT NULL AS is_called_so,
    row_security_active(c.oid) AS is_hidden,
    m.model_name AS name_of_model, m.dimension, m.model_hash AS hash,
    (w.model_name, w.dimension, w.model_hash) = (m.model_name, m.dimension, m.model_hash) AS is_current,
    w.epoch, w.swept_epoch, w.swept_at, w.swept_xid,
    extract(epoch FROM clock_timestamp() - w.swept_at) AS swept_ago_secs,
    g.guard IS NOT NULL AS is_noting, g.guard, g.guard IS NOT DISTINCT FROM w.swept_guard AND g.guard IS NOT NULL AS was_noting,
    (SELECT count(*) FROM (SELECT FROM vestige_sql.worker_note x WHERE x.worker = :worker LIMIT 100000) AS x) AS waiting,
    EXISTS (
        SELECT FROM vestige_sql.worker_note x
        WHERE x.worker = :worker AND (x.due_at IS NULL OR x.due_at <= clock_timestamp())) AS is_due,
    (SELECT extract(epoch FROM min(x.due_at) - clock_timestamp()) FROM vestige_sql.worker_note x WHERE x.worker = :worker) AS due_in_secs
FROM vestige_sql.worker w
JOIN pg_catalog.pg_class c ON c.oid = w.table_oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
LEFT JOIN LATERAL (
    -- which changes with each ALTER or CREATE OR REPLACE
    SELECT concat_ws(' ', g.xmin, p.xmin) AS guard
    FROM pg_catalog.pg_trigger g
    JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid AND p.pronamespace = to_regnamespace('vestige_sql')
    -- after each row, for INSERT and UPDATE
    WHERE g.tgrelid = c.oid AND g.tgname = :'note_trigger' AND g.tgenabled = 'A' AND g.tgtype = 21 AND g.tgqual IS NULL
      AND g.tgattr = ''::int2vector AND p.proname = :'note_function' AND p.prosrc = :'note_body'
) AS g ON true
LEFT JOIN LATERAL vestige_sql.registered_model(c.oid::regclass, a.attname) AS m ON true
WHERE w.id = :worker AND c.oid = :oid;
