-- Measure the recall@10 of each HNSW and IVFFlat index of the column, by exact search for a few of its rows.
--
-- The session's ef_search or probes applies. Each row takes one scan of the table, so this is the one question that reads all of
-- it. A table of more than recall_bytes is left out, and a note says so.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    oid, embedding_column, recall_sample, recall_bytes

WITH indexes AS MATERIALIZED (
    SELECT
        i.indexrelid, am.amname, format('%I.%I', n.nspname, c.relname) AS name, pg_table_size(i.indrelid) AS bytes,
        CASE am.amname WHEN 'hnsw' THEN 'hnsw.ef_search' ELSE 'ivfflat.probes' END AS setting
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname IN ('hnsw', 'ivfflat')
    WHERE i.indrelid = :oid::oid AND i.indisvalid AND i.indisready AND EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
          AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid AND a.attname::text = :'embedding_column')
),
measured AS MATERIALIZED (
    SELECT i.name, i.amname, i.setting, r.recall, r.sampled, current_setting(i.setting, true) AS value
    FROM indexes i
    CROSS JOIN LATERAL vestige_sql.index_recall(i.indexrelid, NULL, :recall_sample) AS r
    WHERE i.bytes <= :recall_bytes
)
SELECT
    CASE WHEN m.recall < 0.9 THEN 'low_recall' ELSE 'recall' END AS code,
    CASE WHEN m.recall < 0.9 THEN 'warning' ELSE 'note' END AS severity,
    format('index %s', m.name) AS object,
    format('recall@10 of index %s is %s, over %s rows and at %s = %s', m.name, round(m.recall::numeric, 3), m.sampled, m.setting, m.value) AS what,
    'It is the share of what an exact search finds that a search by the index finds as well. A few rows give it roughly.' AS why,
    CASE
        WHEN m.recall >= 0.9 THEN 'nothing'
        WHEN m.amname = 'hnsw' THEN format('raise hnsw.ef_search where you search; if that does not help: REINDEX INDEX CONCURRENTLY %s;', m.name)
        ELSE format('raise ivfflat.probes where you search; lists that were made of few rows are bad: REINDEX INDEX CONCURRENTLY %s;', m.name)
    END AS "do"
FROM measured m
WHERE m.recall IS NOT NULL
UNION ALL
SELECT
    'recall_not_measured', 'note', format('index %s', i.name),
    format('the recall of index %s was not measured: the table has %s', i.name, pg_size_pretty(i.bytes)),
    'An exact search reads all of the table, once for each row of the sample.',
    'vestige-sql migrate doctor --recall-megabytes takes another limit, and --recall-timeout more time'
FROM indexes i
WHERE i.bytes > :recall_bytes
ORDER BY 1, 3;
