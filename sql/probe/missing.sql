-- Ask whether any row has text and no vector.
--
-- It stops at the first such row. It looks at the text of no row that has a vector.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, is_chosen, content

SELECT EXISTS (
    SELECT
    FROM :"schema".:"table" t
    WHERE t.:"embedding_column" IS NULL
      AND :is_chosen
      -- This is what vestige_sql.has_text() says; that function may not be there yet.
      AND octet_length(pg_catalog.btrim(
          :content,
          E' \t\n\u000b\f\r\u001c\u001d\u001e\u001f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
      )) > 0
) AS any_missing;
