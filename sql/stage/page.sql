-- Read the next rows of a pass, and say which are pending: those with text and no staged vector.
--
-- A row whose vector is staged for an older text is left to the next pass; discard_stale.sql runs before that. In this pass
-- its new vector would collide with the staged one. Everything copied in the same chunk would be lost with it.
--
-- A pass in disk order has t.ctid as order_key and tid as order_type. Staged rows then lie in the same order. Neither this step
-- nor the rewrite jumps to and fro, whatever the keys are. Where several workers get ranges of keys, order_key is the key.
-- is_after_k and is_up_to_u compare the place of t with k.id and u.id. read_schema and read_table are the target. A pass in disk
-- order has one partition after another there: places are a partition's own.
--
-- after and until are literals of order_key, or NULL for no bound. By ctid both are given, because without them the whole
-- table would be sorted. The next pass meets a row that moves during this one.
--
-- Of a text that is longer, the first text_characters characters come back. piece.sql reads on in it, while tuple and version
-- are the row's. The hash is that of the whole text.
--
-- At most page_rows rows and about page_bytes bytes of text come back, and at least one row. A row that is not pending comes
-- without its text. So the last place of the page is always there, and the next page goes on after it. Each page is a short
-- transaction of its own: one that is open for hours would stop vacuum for the whole database.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    key, is_chosen, content, embedding_column, order_key, read_schema, read_table, after, order_type, until, is_after_k, is_up_to_u, order_columns, page_rows, text_characters, only_missing, staging_table, id_schema, page_bytes

WITH page AS (
    SELECT
        :key AS id,
        CASE WHEN :is_chosen THEN :content END AS content,
        t.:"embedding_column" IS NULL AS embedding_is_null,
        :order_key AS place,
        t.tableoid AS home,
        t.ctid AS tuple,
        t.xmin AS made
    FROM :"read_schema".:"read_table" t
    CROSS JOIN (SELECT CAST(:after AS :order_type) AS id) AS k
    CROSS JOIN (SELECT CAST(:until AS :order_type) AS id) AS u
    WHERE (:after IS NULL OR :is_after_k)
      AND (:until IS NULL OR :is_up_to_u)
    ORDER BY :order_columns
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
    CASE WHEN q.pending AND octet_length(m.content) <= :text_characters THEN m.content
         WHEN q.pending THEN left(m.content, :text_characters) END AS content,
    CASE WHEN q.pending THEN vestige_sql.content_hash(m.content) END AS content_hash,
    m.place::text AS place,
    CASE WHEN octet_length(m.content) > :text_characters THEN m.tuple::text END AS tuple,
    CASE WHEN octet_length(m.content) > :text_characters THEN concat_ws(' ', m.home, m.tuple, m.made) END AS version
FROM measured m
CROSS JOIN LATERAL (
    SELECT vestige_sql.has_text(m.content)
       AND (m.embedding_is_null OR NOT :only_missing)
       AND NOT EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) m.id)
    -- asked once per row, because each look at a long text fetches and decompresses it
    OFFSET 0
) AS q (pending)
WHERE coalesce(m.bytes_before, 0) < :page_bytes
ORDER BY m.place;
