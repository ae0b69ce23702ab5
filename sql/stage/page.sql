-- The next rows by key, and which of them are pending: they have text, and no staged vector.
--
-- One that is staged for a text that is another by now is left to the next pass, which begins with discard_stale.sql: in this
-- one it would collide with what is staged, and with it all that is copied in the same chunk.
--
-- after and until are literals of the key, or NULL for no bound. At most page_rows rows and about page_bytes bytes of
-- text come back, one row at least. A row that is not pending comes without its text, so that the last key of the page
-- is always there: the next page goes on after it. Each page is a short transaction of its own, for a transaction that
-- is open for hours would stop vacuum for the whole database.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    id_column, content_column, embedding_column, schema, table, after, id_schema, id_sql_type, until, page_rows, only_missing, staging_table, page_bytes

WITH page AS (
    SELECT
        t.:"id_column" AS id,
        t.:"content_column"::text AS content,
        t.:"embedding_column" IS NULL AS embedding_is_null
    FROM :"schema".:"table" t
    WHERE (:after IS NULL OR t.:"id_column" OPERATOR(:"id_schema".>) CAST(:after AS :id_sql_type))
      AND (:until IS NULL OR t.:"id_column" OPERATOR(:"id_schema".<=) CAST(:until AS :id_sql_type))
    ORDER BY t.:"id_column"
    LIMIT :page_rows
),
measured AS (
    SELECT p.*, sum(octet_length(p.content)) OVER (ORDER BY p.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        AS bytes_before
    FROM page p
)
SELECT
    m.id,
    m.id::text AS key,
    q.pending,
    CASE WHEN q.pending THEN m.content END AS content,
    CASE WHEN q.pending THEN vestige_sql.content_hash(m.content) END AS content_hash
FROM measured m
CROSS JOIN LATERAL (
    SELECT vestige_sql.has_text(m.content)
       AND (m.embedding_is_null OR NOT :only_missing)
       AND NOT EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) m.id)
    -- asked once a row: a long text is fetched and decompressed each time that it is looked at
    OFFSET 0
) AS q (pending)
WHERE coalesce(m.bytes_before, 0) < :page_bytes
ORDER BY m.id;
