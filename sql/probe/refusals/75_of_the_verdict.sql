-- List what the verdict refuses, where one is required: what is staged has to be judged, and the last verdict on it has to be GO.
--
-- The step writes the question, which psql then asks. Nothing is looked at unless require_verdict says so. The verdict counts for
-- exactly the vectors that were judged: the fingerprint of the staging table has to be the same. That takes one scan of the
-- staging table. The policy of vestige_sql.judging decides whether the role sees the verdict, so row security is on while it
-- is asked. A verdict that only lacks the speed of a search does for an online run up to its switch.
--
-- The first row only says which column was asked. remove and restore hold no statements: only another judging gives another
-- verdict. The rows are remembered for this transaction, for 80_by_way.sql.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    require_verdict, schema, table, embedding_column

SELECT format($ask$WITH refusals (place, what, object, message, hint, remove, restore, rules_out) AS (
    SELECT 0, 'asked', %1$L, 'its verdict', '', '{}'::text[], '{}'::text[], '{}'::text[]%3$s
),
remembered AS MATERIALIZED (
    SELECT set_config('vestige_sql.refusals', (
        coalesce(nullif(current_setting('vestige_sql.refusals', true), ''), '{}')::jsonb
        || jsonb_build_object('verdict', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.place) FROM refusals r)))::text, true),
        set_config('row_security', %2$L, true)
)
SELECT r.* FROM refusals r CROSS JOIN remembered ORDER BY r.place$ask$,
    x."column", x.row_security,
    CASE WHEN :require_verdict AND x.is_there THEN format($verdict$
    UNION ALL
    SELECT
        240, 'no_verdict', %1$L,
        CASE
            WHEN r.id IS NULL THEN format('a verdict is required, and nothing is staged for %%s that could be judged', %1$L)
            WHEN j.id IS NULL THEN format('a verdict is required, and what is staged for %%s was not judged', %1$L)
            WHEN j.verdict IS NULL THEN format('a verdict is required, and judging %%s of what is staged for %%s came to no end', j.id, %1$L)
            WHEN j.verdict <> 'GO' THEN format('a verdict of GO is required, and judging %%s of what is staged for %%s says %%s', j.id, %1$L, j.verdict)
            ELSE format('a verdict is required, and what is staged for %%s is not what judging %%s has seen', %1$L, j.id)
        END,
        CASE
            WHEN r.id IS NULL THEN 'run vestige-sql migrate stage and vestige-sql migrate judge first; nothing was written'
            WHEN j.verdict <> 'GO' THEN 'vestige_sql.judging has the reasons; vestige-sql migrate judge judges again, by other rules or '
                'with more questions, and vestige-sql migrate abort drops what is staged; nothing was written'
            ELSE 'run vestige-sql migrate judge, then the same command again; nothing was written' END,
        '{}', '{}',
        -- the speed of a search can only be measured once an online run has built its index; it is asked again before the switch
        CASE WHEN j.verdict = 'INCONCLUSIVE'
                AND (r.state = 'filling' OR j.fingerprint = vestige_sql.staged_fingerprint(to_regclass(%5$L)))
                AND NOT EXISTS (
                    SELECT FROM jsonb_array_elements(j.reasons) AS x (reason)
                    WHERE x.reason ->> 'outcome' <> 'holds' AND x.reason ->> 'kind' <> 'max_p95_ms')
            THEN '{rewrite,widen,swap}' ELSE '{rewrite,widen,swap,online}' END::text[]
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (
        SELECT r.id, r.state FROM vestige_sql.run r
        WHERE r.table_schema = %2$L AND r.table_name = %3$L AND r.column_name = %4$L AND r.state IN ('staging', 'filling')
    ) AS r ON true
    LEFT JOIN LATERAL (
        SELECT j.* FROM vestige_sql.judging j
        WHERE j.run_id = r.id AND j.table_schema = %2$L AND j.table_name = %3$L AND j.column_name = %4$L
        ORDER BY j.id DESC
        LIMIT 1
    ) AS j ON true
    -- what an online run catches up with needs no other verdict
    WHERE j.verdict IS DISTINCT FROM 'GO'
       OR (r.state = 'staging' AND j.fingerprint IS DISTINCT FROM vestige_sql.staged_fingerprint(to_regclass(%5$L)))$verdict$,
        x."column", :'schema'::text, :'table'::text, :'embedding_column'::text, 'vestige_sql.stage_' || x.suffix) END)
FROM (
    SELECT c.name AS "column", left(encode(sha256(convert_to(c.name, 'UTF8')), 'hex'), 16) AS suffix,
        to_regclass('vestige_sql.judging') IS NOT NULL AS is_there,
        current_setting('row_security') AS row_security, set_config('row_security', 'on', true) AS now
    FROM (SELECT format('%I.%I.%I', :'schema'::text, :'table'::text, :'embedding_column'::text) AS name) AS c
) AS x \gexec
