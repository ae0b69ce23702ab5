-- Name the target in the staging table's comment, for people who come across the table.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, writes the same
-- Undo:         nothing to undo
-- Variables:    staging_table, schema, table, embedding_column

-- squawk-ignore-file require-lock-timeout -- nobody but the run itself uses the staging table
SELECT pg_catalog.format(
    'COMMENT ON TABLE vestige_sql.%I IS %L', :'staging_table'::text,
    pg_catalog.format('vestige-sql: new vectors for %I.%I.%I, not yet in place', :'schema'::text, :'table'::text, :'embedding_column'::text)
) \gexec
