-- The next rows of a pass, and which of them are pending: they have text, and no staged vector.
--
-- One that is staged for a text that is another by now is left to the next pass, before which discard_stale.sql runs: in this
-- one it would collide with what is staged, and with it all that is copied in the same chunk.
--
-- order_column is ctid, and with it order_schema pg_catalog and order_type tid, where a pass goes over the table as it lies on
-- disk: then what is staged lies in the same order, and neither this nor the rewrite jumps to and fro, whatever the keys are. It is the
-- key where ranges of keys are handed out to several workers. after and until are its literals, or NULL for no bound; by
-- ctid both are given, for without them the whole table would be sorted. A row that moves while a pass is under way is met by
-- the next one.
--
-- At most page_rows rows and about page_bytes bytes of text come back, one row at least. A row that is not pending comes
-- without its text, so that the last place of the page is always there: the next page goes on after it. Each page is a
-- short transaction of its own, for a transaction that is open for hours would stop vacuum for the whole database.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    id_column, content_column, embedding_column, order_column, schema, table, after, order_schema, order_type, until, page_rows, only_missing, staging_table, id_schema, page_bytes

WITH page AS (
    SELECT
        t.:"id_column" AS id,
        t.:"content_column"::text AS content,
        t.:"embedding_column" IS NULL AS embedding_is_null,
        t.:"order_column" AS place
    FROM :"schema".:"table" t
    WHERE (:after IS NULL OR t.:"order_column" OPERATOR(:"order_schema".>) CAST(:after AS :order_type))
      AND (:until IS NULL OR t.:"order_column" OPERATOR(:"order_schema".<=) CAST(:until AS :order_type))
    ORDER BY t.:"order_column"
    LIMIT :page_rows
),
measured AS (
    SELECT p.*, sum(octet_length(p.content)) OVER (ORDER BY p.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        AS bytes_before
    FROM page p
)
SELECT
    m.id,
    m.id::text AS key,
    q.pending,
    CASE WHEN q.pending THEN m.content END AS content,
    CASE WHEN q.pending THEN vestige_sql.content_hash(m.content) END AS content_hash,
    m.place::text AS place
FROM measured m
CROSS JOIN LATERAL (
    SELECT vestige_sql.has_text(m.content)
       AND (m.embedding_is_null OR NOT :only_missing)
       AND NOT EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) m.id)
    -- asked once a row: a long text is fetched and decompressed each time that it is looked at
    OFFSET 0
) AS q (pending)
WHERE coalesce(m.bytes_before, 0) < :page_bytes
ORDER BY m.place;
