-- Name what stands beside the vectors and has a say in a change of the model: row security, triggers, replication.
--
-- An inactive replication slot is a warning: it keeps all WAL from its last move on, and a re-embedding writes much of it.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    embedding_column, oid

WITH target AS (
    SELECT
        c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name,
        left(encode(sha256(convert_to(format('%I.%I.%I', n.nspname, c.relname, :'embedding_column'::text), 'UTF8')), 'hex'), 16) AS suffix
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = :oid::oid
)
SELECT
    'row_security' AS code, 'note' AS severity, t.name AS object,
    format('%s has row level security%s, with %s policies', t.name, CASE WHEN t.relforcerowsecurity THEN ', forced on its owner too' ELSE '' END,
        (SELECT count(*) FROM pg_catalog.pg_policy p WHERE p.polrelid = t.oid)) AS what,
    'An index scan finds the nearest vectors first and drops those that a policy hides, so a role that sees few rows may get fewer answers '
        'than it asked for. A re-embedding has to see every row.' AS why,
    'for such roles: SET hnsw.iterative_scan = strict_order; (pgvector 0.8); re-embed as the owner, or as a role with BYPASSRLS' AS "do"
FROM target t
WHERE t.relrowsecurity
UNION ALL
SELECT
    'trigger', 'note', format('trigger %I on %s', g.tgname, t.name),
    format('an UPDATE of %s fires trigger %I%s', t.name, g.tgname,
        CASE g.tgenabled WHEN 'A' THEN ', in every session (ENABLE ALWAYS)' WHEN 'R' THEN ', in sessions of a replica' ELSE '' END),
    'An offline run fires no trigger. An online run writes every row, and keeps triggers from firing where its role may.',
    CASE g.tgenabled
        WHEN 'O' THEN 'GRANT SET ON PARAMETER session_replication_role to the role of an online run, or give it --fire-triggers'
        ELSE 'disable it during an online run, or give that --fire-triggers' END
FROM target t
JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
-- Bit 4 of tgtype is UPDATE. A trigger's list of columns never has the second column on it.
WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype::integer & 16 <> 0 AND g.tgattr = ''::int2vector
  -- The package's own do nothing where only a vector changes: those of a run, whichever column it is about, and the worker's.
  AND NOT (g.tgname ~ '^(vestige_sql_note_(inserted|updated)|zz_vestige_sql_forget_stale)_[0-9a-f]{16}$'
      AND EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid = g.tgfoid AND p.pronamespace = to_regnamespace('vestige_sql')))
UNION ALL
SELECT
    'published', 'note', format('publication %I', p.pubname),
    format('%s is published by %I', t.name, p.pubname),
    'Logical replication carries rows and no ALTER TABLE, so the subscribers'' column stays as it is, and their apply may stop.',
    'change the column on the subscribers too: docs/runbook.md'
FROM target t
JOIN pg_catalog.pg_publication_tables p ON p.schemaname = t.nspname AND p.tablename = t.relname
UNION ALL
SELECT
    'inactive_slot', 'warning', format('replication slot %s', s.slot_name),
    format('replication slot %s is inactive and keeps %s of WAL', s.slot_name,
        coalesce(pg_size_pretty(CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn) END), 'an unknown amount')),
    'The server keeps all WAL from there on, until its disk is full. A re-embedding writes every vector to the WAL.',
    format('start its consumer, or if it has none any more: SELECT pg_drop_replication_slot(%L);', s.slot_name)
FROM pg_catalog.pg_replication_slots s
WHERE NOT s.active AND NOT s.temporary AND s.restart_lsn IS NOT NULL
UNION ALL
SELECT
    'no_package', 'note', format('database %I', current_database()),
    format('database %s has no schema vestige_sql', current_database()),
    'The registered model, runs and kept vectors are not known, and the recall of indexes was not measured.',
    'vestige-sql migrate up'
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'vestige_sql' AND p.proname = 'require')
ORDER BY 1, 3;
