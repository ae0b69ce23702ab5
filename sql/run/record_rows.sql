-- Keep in the audit how many rows there are, how many have text, and how many got their vector.
--
-- It reads the whole table.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, writes the same
-- Undo:         nothing to undo
-- Variables:    content, schema, table, embedding_column

UPDATE vestige_sql.run r
SET rows_total = c.rows_total,
    rows_written = c.rows_total - c.rows_blank,
    rows_blank = c.rows_blank
FROM (
    SELECT
        count(*) AS rows_total,
        count(*) FILTER (WHERE NOT vestige_sql.has_text(:content)) AS rows_blank
    FROM :"schema".:"table" t
) AS c
WHERE r.table_schema = :'schema' AND r.table_name = :'table' AND r.column_name = :'embedding_column'
  AND r.state = 'applied'
RETURNING r.rows_written, r.rows_blank;
