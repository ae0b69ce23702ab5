-- Read the texts of claimed rows that have to be embedded.
--
-- rows is a JSON array of objects, each with the key of a row as an array of texts. A row that has the vector of its text comes back without
-- its text, and so does one that has no text or is gone: write/20_write.sql settles their notes. At most about page_bytes bytes of text come
-- back, and at least one text. is_later marks the rows beyond that. Of a longer text the first text_characters characters come back, and
-- is_cut says so: few models use more. The hash is that of the whole text.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    text_characters, rows, worker, content, embedding_column, schema, table, key_is_array, page_bytes

WITH found AS MATERIALIZED (
    SELECT k.nr, k.key, h.hash, CASE WHEN h.is_due THEN left(h.content, :text_characters) END AS content,
        h.is_due AND length(h.content) > :text_characters AS is_cut
    FROM (
        SELECT b.nr, b.key
        FROM ROWS FROM (jsonb_to_recordset(:'rows'::jsonb) AS (key text[])) WITH ORDINALITY AS b (key, nr)
    ) AS k
    JOIN vestige_sql.worker w ON w.id = :worker
    LEFT JOIN LATERAL (
        SELECT y.hash, y.content,
            y.hash IS NOT NULL AND (y.hash, w.epoch) IS DISTINCT FROM (x.content_hash, CASE WHEN y.has_vector THEN x.epoch END) AS is_due
        FROM (
            SELECT :content AS content, t.:"embedding_column" IS NOT NULL AS has_vector,
                CASE WHEN vestige_sql.has_text(:content) THEN vestige_sql.content_hash(:content) END AS hash
            FROM :"schema".:"table" t
            WHERE :key_is_array
        ) AS y
        LEFT JOIN vestige_sql.worker_text x ON x.worker = w.id AND x.key = k.key
    ) AS h ON true
),
measured AS (
    SELECT f.*, coalesce(sum(octet_length(f.content)) OVER (ORDER BY f.nr ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) >= :page_bytes
        AS is_later
    FROM found f
)
SELECT
    to_jsonb(m.key)::text AS key,
    CASE WHEN NOT m.is_later THEN m.content END AS content,
    encode(m.hash, 'hex') AS content_hash,
    m.is_later AND m.content IS NOT NULL AS is_later,
    coalesce(m.is_cut, false) AS is_cut
FROM measured m
ORDER BY m.nr;
