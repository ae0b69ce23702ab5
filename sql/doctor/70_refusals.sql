-- Say what a re-embedding would be refused for, from the answers of probe/refusals/ in this transaction.
--
-- A reason that leaves no way at all is a warning, unless it is only about this role, which may be one that only looks.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    none

SELECT
    'refused_' || r.what AS code,
    CASE WHEN cardinality(r.rules_out) = 6
            AND r.what NOT IN ('package_rights', 'rights', 'not_owner', 'row_security_of_others', 'standby', 'read_only', 'no_package')
        THEN 'warning' ELSE 'note' END AS severity,
    r.object,
    r.message AS what,
    CASE WHEN cardinality(r.rules_out) = 6 THEN 'No re-embedding is possible as it stands.'
        ELSE format('This rules out the %s %s.%s', CASE WHEN cardinality(r.rules_out) = 1 THEN 'way' ELSE 'ways' END,
            array_to_string(r.rules_out, ', '),
            coalesce((SELECT ' There remain ' || string_agg(w.way, ', ' ORDER BY w.nr) || '.'
                      FROM unnest('{rewrite,swap,widen,online}'::text[]) WITH ORDINALITY AS w (way, nr) WHERE w.way <> ALL (r.rules_out)), ''))
    END AS why,
    concat_ws(E'\n', CASE r.what WHEN 'view' THEN 'with --recreate-views the run drops it and makes it again; or:' END,
        nullif(regexp_replace(r.hint, ';? ?nothing was written$', ''), ''), nullif(array_to_string(r.remove, E'\n'), '')) AS "do"
FROM jsonb_each(coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb) AS p (part, rows)
CROSS JOIN LATERAL jsonb_to_recordset(p.rows) AS r (
    place integer, what text, object text, message text, hint text, remove text[], rules_out text[])
WHERE r.what NOT IN ('asked', 'of_all_rows') AND r.rules_out <> '{}'
ORDER BY r.place, p.part, r.object;
