-- Read the next rows noted as changed, by key, and say which of them are pending.
--
-- This is page.sql for a table that is mostly staged. Of a longer text, too, the first text_characters characters come back.
--
-- What was staged for another text was discarded before. A row that has changed since then waits for the next time: a row
-- cannot have two staged vectors, and its chunk would be lost.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    key, content, schema, table, after, id_sql_type, until, key_is_after_k, key_is_up_to_u, changed_table, key_is_k, key_columns, page_rows, text_characters, staging_table, id_schema, page_bytes

WITH page AS (
    SELECT :key AS id, :content AS content, t.tableoid AS home, t.ctid AS tuple, t.xmin AS made
    FROM :"schema".:"table" t
    CROSS JOIN (SELECT CAST(:after AS :id_sql_type) AS id) AS k
    CROSS JOIN (SELECT CAST(:until AS :id_sql_type) AS id) AS u
    WHERE (:after IS NULL OR :key_is_after_k)
      AND (:until IS NULL OR :key_is_up_to_u)
      AND EXISTS (SELECT FROM vestige_sql.:"changed_table" k WHERE :key_is_k)
    ORDER BY :key_columns
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
    CASE WHEN q.pending AND octet_length(m.content) <= :text_characters THEN m.content
         WHEN q.pending THEN left(m.content, :text_characters) END AS content,
    CASE WHEN q.pending THEN vestige_sql.content_hash(m.content) END AS content_hash,
    m.id::text AS place,
    CASE WHEN octet_length(m.content) > :text_characters THEN m.tuple::text END AS tuple,
    CASE WHEN octet_length(m.content) > :text_characters THEN concat_ws(' ', m.home, m.tuple, m.made) END AS version
FROM measured m
CROSS JOIN LATERAL (
    SELECT vestige_sql.has_text(m.content)
       AND NOT EXISTS (SELECT FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) m.id)
    -- asked once per row, because each look at a long text fetches and decompresses it
    OFFSET 0
) AS q (pending)
WHERE coalesce(m.bytes_before, 0) < :page_bytes
ORDER BY m.id;
