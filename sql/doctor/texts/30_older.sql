-- Find the rows whose own columns say that they changed after their vector was made, in a sample of the table's pages.
--
-- These are columns of time called embedded_at, embedding_updated_at and the like, and updated_at, modified_at and the like. The
-- latter may be about another column than the text, so this proves nothing and is a note. The question is written for the columns that
-- there are, and then asked.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    embedding_column, key_expression, sample_percent, schema, table

SELECT format($ask$SELECT
    'stale_vector' AS code, 'note' AS severity, %1$L AS object,
    format('%%s of %%s vectors are older than their rows, by %%s and %%s (such as %%s)', ltrim(to_char(count(*) FILTER (WHERE s.is_older), '999,999,999')),
        ltrim(to_char(count(*), '999,999,999')), %2$L::text, %3$L::text,
        array_to_string((array_agg(s.key ORDER BY s.key) FILTER (WHERE s.is_older))[1 : 3], '; ')) AS what,
    'If it was the text that changed, searches find these rows by what they said before.' AS why,
    format('UPDATE %%s SET %%I = NULL WHERE %%I < %%I; then vestige-sql migrate reembed with the registered model embeds them', %4$L::text,
        %5$L::text, %2$L::text, %3$L::text) AS "do"
FROM (
    SELECT %6$s AS key, t.%2$I < t.%3$I AS is_older
    FROM %4$s t TABLESAMPLE SYSTEM (%7$s) REPEATABLE (0)
    WHERE t.%5$I IS NOT NULL
) AS s
HAVING count(*) FILTER (WHERE s.is_older) > 0$ask$,
    format('%s.%I', x.name, :'embedding_column'::text), x.made, x.changed, x.name, :'embedding_column'::text, :'key_expression'::text,
    :'sample_percent'::numeric)
FROM (
    SELECT
        format('%I.%I', :'schema'::text, :'table'::text) AS name,
        min(a.attname::text) FILTER (WHERE a.attname ~* '^((last_)?(embedded|vectori[sz]ed)_(at|on)|(embedding|vector)s?_((last_)?updated_|created_|generated_)?(at|on))$')
            AS made,
        min(a.attname::text) FILTER (WHERE a.attname ~* '^((content_|text_|last_)?(updated|modified|changed|edited)(_(at|on))?|(date_|last_)(updated|modified))$')
            AS changed
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.atttypid IN ('timestamp'::regtype, 'timestamptz'::regtype)
) AS x
WHERE x.made IS NOT NULL AND x.changed IS NOT NULL \gexec
