-- Show how the worker's statements say the key of a row, and what the worker is called in the database.
--
-- The worker keeps keys as arrays of text, an entry a column. The values are SQL, made from the catalog. In them t is a row of the
-- target, and k a row with such a key:
--
--   key_array         the key of t as such an array
--   key_is_array      whether t has the key k.key; index scans of the target serve it
--   worker            the worker's number, 0 where there is none yet
--   note_function     the function that notes changes, and note_trigger the trigger that calls it; note_body is the function's text
--   may_be_null       whether the vector of a row without text can be NULL
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    embedding_column, schema, table, id_columns, content_column

WITH target AS (
    SELECT
        c.oid, a.attnotnull,
        coalesce(vestige_sql.worker_of(c.oid::regclass, a.attname), 0) AS worker
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname::text = :'embedding_column' AND NOT a.attisdropped
    WHERE n.nspname = :'schema' AND c.relname = :'table'
),
parts AS (
    SELECT u.place, quote_ident(a.attname) AS name, format_type(a.atttypid, a.atttypmod) AS sql_type, a.attrelid, a.attnum
    FROM unnest(:'id_columns'::text[]) WITH ORDINALITY AS u (name, place)
    JOIN target t ON true
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname::text = u.name AND NOT a.attisdropped
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
compared AS (
    SELECT
        string_agg(format('t.%s::text', p.name), ', ' ORDER BY p.place) AS of_t,
        string_agg(format('NEW.%s::text', p.name), ', ' ORDER BY p.place) AS of_new,
        string_agg(format('OLD.%s::text', p.name), ', ' ORDER BY p.place) AS of_old,
        string_agg(format('t.%s OPERATOR(%I.=) CAST(k.key[%s] AS %s)', p.name, coalesce((
            SELECT n.nspname
            FROM key_index i
            JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[p.place::integer - 1]
            JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
                AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
            JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
            JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
        ), 'pg_catalog'), p.place, p.sql_type), ' AND ' ORDER BY p.place) AS is_k
    FROM parts p
)
SELECT
    t.worker,
    format('ARRAY[%s]', c.of_t) AS key_array,
    c.is_k AS key_is_array,
    'note_changed_' || s.suffix AS note_function,
    'vestige_sql_note_updated_' || s.suffix AS note_trigger,
    -- It stops no write of an application: not where a column is called otherwise by now, nor where the notes are gone. No transaction that
    -- sends a notification can be prepared for two phases. Where a server allows these, the worker has to poll.
    format(
        'DECLARE v_key text[]; v_changed boolean := true; BEGIN BEGIN v_key := ARRAY[%s];'
        ' IF TG_OP = ''UPDATE'' THEN v_changed := v_key IS DISTINCT FROM ARRAY[%s]'
        ' OR OLD.%3$I::text COLLATE "C" IS DISTINCT FROM NEW.%3$I::text COLLATE "C"; END IF;'
        ' EXCEPTION WHEN undefined_column THEN v_changed := v_key IS NOT NULL; END;'
        ' IF v_changed AND to_regclass(''vestige_sql.worker_note'') IS NOT NULL THEN'
        ' INSERT INTO vestige_sql.worker_note (worker, key) VALUES (%4$s, v_key);'
        ' IF current_setting(''max_prepared_transactions'') = ''0'' THEN PERFORM pg_notify(''vestige_sql_worker'', ''%4$s''); END IF;'
        ' END IF; RETURN NULL; END',
        c.of_new, c.of_old, :'content_column'::text, t.worker) AS note_body,
    CASE WHEN t.attnotnull THEN 'false' ELSE 'true' END AS may_be_null
FROM target t
CROSS JOIN compared c
CROSS JOIN LATERAL (
    SELECT left(encode(sha256(convert_to(format('worker %s', t.worker), 'UTF8')), 'hex'), 16)
) AS s (suffix)
\gset
