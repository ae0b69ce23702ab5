-- Find the vectors of several models, where the table itself says what made each: by its columns that name a model. In a sample.
--
-- Such columns are those of text called model, model_name, embedding_model and the like, and the key embedding_model of
-- metadata in JSON. The question is written for the columns that there are, and then asked. There is none without such a column.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    sample_percent, embedding_column, schema, table

SELECT string_agg(format($ask$SELECT
    'mixed_models' AS code, 'warning' AS severity, %1$L AS object,
    format('%%s says that its vectors are of %%s models: %%s', %1$L::text, count(*), string_agg(
        format('%%s in %%s rows', m.model, ltrim(to_char(m.rows, '999,999,999'))), ', ' ORDER BY m.rows DESC, m.model)
        FILTER (WHERE m.place <= 5)) AS what,
    'Vectors of different models cannot be compared, even of one dimension: a search that does not filter by the model finds rows by chance.' AS why,
    'vestige-sql migrate reembed --model MODEL --dimension N brings every row to one model; the column that names it is yours to set' AS "do"
FROM (
    SELECT left(s.model, 60) AS model, count(*) AS rows, row_number() OVER (ORDER BY count(*) DESC, left(s.model, 60)) AS place
    FROM (
        SELECT (%2$s)::text AS model
        FROM %3$s t TABLESAMPLE SYSTEM (%4$s) REPEATABLE (0)
        WHERE t.%5$I IS NOT NULL
    ) AS s
    WHERE s.model <> ''
    GROUP BY left(s.model, 60)
) AS m
HAVING count(*) > 1$ask$,
    x.name, x.expression, x.table_name, :'sample_percent'::numeric, :'embedding_column'::text
), E'\nUNION ALL\n' ORDER BY x.name)
FROM (
    SELECT
        format('%I.%I.%I', :'schema'::text, :'table'::text, a.attname) || CASE WHEN t.typname IN ('json', 'jsonb') THEN ' ->> embedding_model' ELSE '' END
            AS name,
        format('t.%I', a.attname) || CASE WHEN t.typname IN ('json', 'jsonb') THEN ' ->> ''embedding_model''' ELSE '' END AS expression,
        format('%I.%I', :'schema'::text, :'table'::text) AS table_name
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = format('%I.%I', :'schema'::text, :'table'::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND (t.typcategory IN ('S', 'E') AND a.attname ~* '^(embed(ding|der)?s?_?|vector_?|ai_?)?model(_?(name|id|version))?$|^embedder(_name)?$'
           OR t.typname IN ('json', 'jsonb') AND a.attname ~* '^(c?metadata|meta|meta_data|payload|attributes)_?$')
) AS x \gexec
