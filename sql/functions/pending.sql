-- Return the rows of a table whose vectors are not those of their texts, with the reason, and what the worker says of them.
--
-- SELECT * FROM vestige_sql.pending('app.documents'). why is no_vector for a text without a vector, stale for a vector of another text,
-- no_text for a vector without a text, and waiting for a row that was noted and that the worker has not looked at. Whether a vector is stale
-- is known where a worker keeps its column up to date. Every text is hashed: on a large table this takes a while.
--
-- It reads with the caller's rights. Who may not read the table gets an error, and who sees some of its rows is told of those.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.pending(p_table regclass)
RETURNS TABLE (
    column_name name, key text[], why text, noted_at timestamptz, attempts integer, due_at timestamptz, error text
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
-- a key is text here as it is in the worker's session
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = 'postgres'
SET TimeZone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $function$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT r.column_name AS name, w.id, w.epoch,
            coalesce(w.content_column, m.content_column, 'content') AS content,
            EXISTS (
                SELECT FROM vestige_sql.model x
                JOIN pg_attribute a ON a.attrelid = p_table AND a.attname = r.column_name AND a.attnum = x.column_number
                WHERE x.table_oid = p_table AND x.content_numbered IS NOT NULL) AS is_expression,
            coalesce(w.key_columns, (
                SELECT array_agg(a.attname::text ORDER BY k.place)
                FROM pg_index i
                CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                WHERE i.indrelid = p_table AND i.indisprimary)) AS key
        FROM vestige_sql.registered(p_table) r
        LEFT JOIN vestige_sql.worker w ON w.id = vestige_sql.worker_of(p_table, r.column_name)
        LEFT JOIN LATERAL (
            SELECT t.attname::text AS content_column
            FROM vestige_sql.model x
            JOIN pg_attribute a ON a.attrelid = p_table AND a.attname = r.column_name AND a.attnum = x.column_number
            JOIN pg_attribute t ON t.attrelid = p_table AND t.attnum = x.content_number AND NOT t.attisdropped
            WHERE x.table_oid = p_table
            ORDER BY x.id DESC
            LIMIT 1) AS m ON true
    LOOP
        IF v_column.is_expression THEN
            RAISE EXCEPTION 'the text of % is an expression, and what is pending is known of columns only', p_table
                USING ERRCODE = 'VS001', HINT = 'nothing was written; vestige-sql migrate reembed with the registered model embeds rows that lack a vector';
        END IF;
        IF v_column.key IS NULL THEN
            RAISE EXCEPTION '% has no primary key, and no worker has been told which key to use', p_table
                USING ERRCODE = 'VS001', HINT = 'nothing was written; start the worker once, with --id-column';
        END IF;
        RETURN QUERY EXECUTE format(
            'SELECT %1$L::name, p.key, p.why, n.noted_at, n.attempts, n.due_at, n.error'
            ' FROM ('
            '  SELECT r.key, CASE'
            '    WHEN r.hash IS NULL THEN CASE WHEN r.has_vector THEN ''no_text'' END'
            '    WHEN NOT r.has_vector THEN ''no_vector'''
            '    WHEN x.content_hash <> r.hash THEN ''stale'''
            '    WHEN EXISTS (SELECT FROM vestige_sql.worker_note n WHERE n.worker = %2$L::bigint AND n.key = r.key) THEN ''waiting'''
            '    END AS why'
            '  FROM ('
            '   SELECT ARRAY[%3$s] AS key, t.%4$I IS NOT NULL AS has_vector,'
            '    CASE WHEN vestige_sql.has_text(t.%5$I::text) THEN vestige_sql.content_hash(t.%5$I::text) END AS hash'
            '   FROM %6$s t) r'
            '  LEFT JOIN vestige_sql.worker_text x ON x.worker = %2$L::bigint AND x.key = r.key) p'
            ' LEFT JOIN LATERAL ('
            '  SELECT min(n.noted_at) AS noted_at, max(n.attempts) AS attempts, min(n.due_at) AS due_at, max(n.error) AS error'
            '  FROM vestige_sql.worker_note n WHERE n.worker = %2$L::bigint AND n.key = p.key) n ON true'
            ' WHERE p.why IS NOT NULL'
            ' ORDER BY n.noted_at, p.key',
            v_column.name, v_column.id,
            (SELECT string_agg(format('t.%I::text', k.name), ', ' ORDER BY k.place)
             FROM unnest(v_column.key) WITH ORDINALITY AS k (name, place)),
            v_column.name, v_column.content, p_table);
    END LOOP;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.pending FROM PUBLIC;
