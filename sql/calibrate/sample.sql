-- Draw a sample of the texts that are to be encoded.
--
-- Its pages of pending rows lie at even distances along the key, and are read as a run reads them. Of the different texts in
-- each page, a hash picks some.
--
-- A run encodes equal texts of a page once, so whole pages are looked at. texts_read of rows_read is the share of rows whose
-- text costs anything. The distances are even because lengths often follow the key. No chance is in it: the same table gives
-- the same sample. At most sample_texts texts and about page_bytes bytes come back, of a
-- text at most text_characters characters. Where a run is to be gone on with, resumes
-- leaves out what is staged already. Where nothing is staged, staged may be any table with ids.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    key_record, key_columns, schema, table, embedding_column, only_missing, is_chosen, resumes, staged, key_is_k, distance, page_rows, content, sample_texts, text_characters, page_bytes

WITH pending AS (
    SELECT :key_record AS id, pg_catalog.row_number() OVER (ORDER BY :key_columns) - 1 AS place
    FROM :"schema".:"table" t
    WHERE (t.:"embedding_column" IS NULL OR NOT :only_missing)
      AND :is_chosen
      AND NOT (:resumes AND EXISTS (
          SELECT FROM :staged k WHERE :key_is_k))
),
paged AS MATERIALIZED (
    SELECT p.id, p.place / :distance AS page FROM pending p WHERE p.place % :distance < :page_rows
),
read AS MATERIALIZED (
    SELECT k.page, k.id, pg_catalog.hashtextextended(:content, 0) AS hash
    FROM paged k
    JOIN :"schema".:"table" t ON :key_is_k
    -- This is what vestige_sql.has_text() says; that function may not be there yet.
    WHERE :content IS NOT NULL AND octet_length(pg_catalog.btrim(
        :content,
        E' \t\n\u000b\f\r\u001c\u001d\u001e\u001f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
    )) > 0
),
different AS MATERIALIZED (
    SELECT DISTINCT ON (r.page, r.hash) r.page, r.hash, r.id FROM read r ORDER BY r.page, r.hash
),
drawn AS MATERIALIZED (
    SELECT d.id, pg_catalog.row_number() OVER (ORDER BY pg_catalog.hashint8extended(d.hash, d.page)) AS turn
    FROM different d
    ORDER BY turn
    LIMIT :sample_texts
),
measured AS (
    SELECT
        k.turn, :content AS content,
        sum(octet_length(:content)) OVER (ORDER BY k.turn ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            AS bytes_before
    FROM drawn k
    JOIN :"schema".:"table" t ON :key_is_k
)
SELECT left(m.content, :text_characters) AS content, (SELECT count(*) FROM read) AS rows_read, (SELECT count(*) FROM different) AS texts_read
FROM measured m
WHERE coalesce(m.bytes_before, 0) < :page_bytes
ORDER BY m.turn;
