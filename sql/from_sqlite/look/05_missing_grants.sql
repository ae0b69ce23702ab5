-- List the GRANT statements that this role still needs for a copy into Vestige's tables, one for each right.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema

SELECT pg_catalog.format('GRANT %s TO %I', g.lacking, current_user) AS missing
FROM (
    SELECT pg_catalog.format('%s ON %I.%I', r.name, n.nspname, c.relname)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN (VALUES ('SELECT'), ('INSERT')) AS r (name)
    WHERE n.nspname = :'schema'
      AND c.relname IN (
          'users', 'groups', 'group_memberships', 'domains', 'knowledge_nodes', 'scheduling', 'edges', 'review_events')
      AND NOT pg_catalog.has_table_privilege(c.oid, r.name)
    UNION ALL
    SELECT pg_catalog.format('USAGE ON SEQUENCE %I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :'schema' AND c.relname = 'review_events_id_seq'
      AND NOT pg_catalog.has_sequence_privilege(c.oid, 'USAGE')
    UNION ALL
    SELECT pg_catalog.format('TEMPORARY ON DATABASE %I', current_database())
    WHERE NOT pg_catalog.has_database_privilege(current_database(), 'TEMPORARY')
) AS g (lacking)
ORDER BY g.lacking;
