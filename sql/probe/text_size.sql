-- Measure the texts: how many rows have one, and how many bytes they are in UTF-8; the same of those that lack a vector.
--
-- It reads the whole table, and every text of it.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    embedding_column, content, schema, table, is_chosen

SELECT
    count(*) AS rows_with_text,
    coalesce(sum(r.size), 0)::bigint AS size,
    count(*) FILTER (WHERE r.embedding_is_null) AS rows_missing,
    coalesce(sum(r.size) FILTER (WHERE r.embedding_is_null), 0)::bigint AS size_missing
FROM (
    SELECT
        t.:"embedding_column" IS NULL AS embedding_is_null,
        -- The database is in UTF-8.
        octet_length(:content) AS size
    FROM :"schema".:"table" t
    WHERE :content ~ '\S'
      AND :is_chosen
) AS r;
