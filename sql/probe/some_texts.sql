-- Read some of the texts of the target, to try an encoder on them.
--
-- They lie in about sample_blocks blocks, which no chance picks: the same table gives the same texts. Where these have none, they are the first
-- of the table. At most sample_texts come back, and of each at most text_characters characters.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, text_characters, content, sample_blocks, is_chosen, embedding_column, sample_texts

WITH RECURSIVE tables (oid) AS (
    SELECT pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass::oid
    UNION
    SELECT i.inhrelid FROM tables t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
)
SELECT left(s.content, :text_characters) AS content
FROM (
    (
        SELECT :content AS content
        FROM :"schema".:"table" t TABLESAMPLE SYSTEM (least(100, 100.0 * :sample_blocks
            * current_setting('block_size')::integer
            / greatest(1, (SELECT pg_catalog.sum(pg_catalog.pg_relation_size(x.oid)) FROM tables x))))
            REPEATABLE (0)
        WHERE octet_length(:content) > 0
          AND :is_chosen
        -- Those that lack a vector are to be encoded in any case.
        ORDER BY t.:"embedding_column" IS NULL DESC, pg_catalog.hashtext(t.ctid::text)
        LIMIT :sample_texts
    )
    UNION ALL
    (
        SELECT :content
        FROM :"schema".:"table" t
        WHERE octet_length(:content) > 0
          AND :is_chosen
        LIMIT :sample_texts
    )
) AS s
LIMIT :sample_texts;
